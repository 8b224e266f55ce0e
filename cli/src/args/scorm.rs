//! Verbs of SCORM packages.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum ScormCommand {
    /// What came of the packages of a course: one's own for a learner, everybody's for those who read grades
    Results {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
    /// Everything that a package set in an attempt, oldest first
    Trace {
        /// Id of the attempt, as `scorm results` shows it
        attempt: String,
        /// Say only whether replaying it leads to what is stored; exit code 1 when it does not
        #[arg(long)]
        replay: bool,
    },
}
