//! Verbs of grading.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(crate) enum GradeCommand {
    /// Propose points for short answers, by their words alone: a proposal for a person, never a grade
    Propose {
        /// JSON lines: {"id","question","reference","answer","max","graded":[{"answer","score"}]}
        #[arg(long, value_name = "FILE")]
        items: PathBuf,
    },
}
