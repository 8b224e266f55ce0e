//! Verbs of learning: what next, mastery, reviews, prerequisites.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(crate) struct RecommendArgs {
    /// Course
    #[arg(long, value_name = "SLUG")]
    pub(crate) course: String,
    /// Login name or id of the learner; without one, the caller, or figures over the class for those who teach
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Show the figures behind each reason
    #[arg(long)]
    pub(crate) why: bool,
    /// Most lessons
    #[arg(long, default_value_t = 5)]
    pub(crate) limit: usize,
}

#[derive(Debug, Args)]
pub(crate) struct MasteryArgs {
    /// Course
    #[arg(long, value_name = "SLUG")]
    pub(crate) course: String,
    /// Login name or id of the learner; the caller when missing
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// List the questions of --as USER that are due
    Due,
    /// Say how well a question was remembered; it is scheduled anew
    Answer {
        /// Id of the question
        question: String,
        /// How well: again (not at all), hard, good or easy
        #[arg(long, value_parser = ["again", "hard", "good", "easy"])]
        rating: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum PrerequisiteCommand {
    /// List them: what instructors said, and what links and terms suggest
    List {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
    /// Say that a lesson needs another
    Set {
        /// The lesson: title or id
        lesson: String,
        /// What it needs: title or id
        needs: String,
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
    /// Say that a lesson does not need another, whatever links and terms suggest
    Remove {
        /// The lesson: title or id
        lesson: String,
        /// What it does not need: title or id
        needs: String,
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
}
