//! Verbs of the question bank and of quizzes.

use std::path::PathBuf;

use clap::Subcommand;
use domain::{AssessmentId, QuestionId};

/// `lyceum quiz`.
#[derive(Debug, Subcommand)]
pub(crate) enum QuizCommand {
    /// Draft questions for a person to review; with --dry-run nothing is kept
    #[command(
        after_help = "Examples:\n  lyceum quiz generate --course intro --count 20\n  lyceum quiz generate --course intro --lesson 0198c0de-0000-7000-8000-000000000000 --count 5 --dry-run --json"
    )]
    Generate {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
        /// Only questions on this lesson
        #[arg(long, value_name = "ID")]
        lesson: Option<domain::LessonId>,
        /// How many
        #[arg(long, default_value_t = 10, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=500))]
        count: usize,
        /// The same seed and course give the same questions
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// List the questions of a course, with state and key
    List {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
        /// Only in this state
        #[arg(long, value_parser = ["draft", "reviewed", "live", "retired"])]
        state: Option<String>,
    },
    /// Show questions with key, options, source and lint
    Show {
        /// Questions
        #[arg(required = true, value_name = "ID")]
        ids: Vec<QuestionId>,
    },
    /// Say that drafts are good: only reviewed questions can be asked
    Approve {
        /// Questions
        #[arg(required = true, value_name = "ID")]
        ids: Vec<QuestionId>,
    },
    /// Take questions out of use; what was answered stays
    Retire {
        /// Questions
        #[arg(required = true, value_name = "ID")]
        ids: Vec<QuestionId>,
    },
    /// Put reviewed questions together
    #[command(
        after_help = "Examples:\n  lyceum quiz create --course intro --title \"Week 1\" --questions ID,ID,ID --publish\n  lyceum quiz create --course intro --title Test --questions ID,ID --minutes 20 --attempts 1 --feedback after_close"
    )]
    Create {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
        /// Name for people
        #[arg(long)]
        title: String,
        /// Questions in order, by comma; a point each
        #[arg(long, value_delimiter = ',', required = true, value_name = "ID")]
        questions: Vec<QuestionId>,
        /// Minutes that an attempt may take
        #[arg(long)]
        minutes: Option<i64>,
        /// Attempts that a learner has
        #[arg(long)]
        attempts: Option<i64>,
        /// When score and keys are shown
        #[arg(long, default_value = "after_submit", value_parser = ["after_submit", "after_close", "never"])]
        feedback: String,
        /// Publish it at once
        #[arg(long)]
        publish: bool,
    },
    /// Publish a quiz: its questions go live and are closed to the tutor
    Publish {
        /// Quiz
        #[arg(value_name = "QUIZ")]
        id: AssessmentId,
    },
    /// Close a quiz: no attempt begins any more
    Close {
        /// Quiz
        #[arg(value_name = "QUIZ")]
        id: AssessmentId,
    },
    /// List the quizzes of a course
    Quizzes {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
    /// Take a quiz as --as USER with answers from a file, and submit it
    #[command(
        after_help = "The file holds a JSON object: question id to answer, such as\n  {\"ID\": {\"type\":\"choice\",\"option\":\"a\"}, \"ID\": {\"type\":\"text\",\"text\":\"ownership\"}}\nWithout --answers it begins the attempt and prints what is asked.\n\nExamples:\n  lyceum --as ann quiz take QUIZ --json > asked.json\n  lyceum --as ann quiz take QUIZ --answers answers.json"
    )]
    Take {
        /// Quiz
        #[arg(value_name = "QUIZ")]
        id: AssessmentId,
        /// Answers
        #[arg(long, value_name = "FILE")]
        answers: Option<PathBuf>,
    },
    /// Show submitted attempts: one's own as released, or everybody's for those who teach
    Results {
        /// Quiz
        #[arg(value_name = "QUIZ")]
        id: AssessmentId,
    },
    /// Go through drafts one by one; at a terminal each is approved, retired or left by a key
    #[command(
        after_help = "At a terminal: a approves, r retires, s skips, q ends. Without one the drafts are printed.\n\nExample:\n  lyceum --as ines quiz review --course intro"
    )]
    Review {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
    /// Hand in the one text that a quiz asks for, as --as USER
    #[command(after_help = "Example:\n  lyceum --as leo quiz hand-in QUIZ QUESTION --file essay.txt")]
    HandIn {
        /// Quiz
        #[arg(value_name = "QUIZ")]
        id: AssessmentId,
        /// Its question
        #[arg(value_name = "QUESTION")]
        question: QuestionId,
        /// The text
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
    /// What one handed in, with released grades: one's own, or everybody's for those who teach
    Submissions {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
    /// Write the question bank to a file; what the format cannot hold is named (exit 3)
    #[command(
        after_help = "Examples:\n  lyceum quiz export --course intro --format gift --out intro.gift\n  lyceum quiz export --course intro --format csv --state reviewed"
    )]
    Export {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
        /// Format of the file
        #[arg(long, default_value = "gift", value_parser = ["gift", "csv"])]
        format: String,
        /// Only in this state; all but retired ones when missing
        #[arg(long, value_parser = ["draft", "reviewed", "live", "retired"])]
        state: Option<String>,
        /// Into this file instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Read questions from a file into the bank, as drafts; each loss is named (exit 3)
    #[command(
        after_help = "Examples:\n  lyceum quiz import questions.gift --course intro --dry-run\n  lyceum quiz import table.csv --course intro"
    )]
    Import {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
        /// Format of the file; by its name when missing
        #[arg(long, value_parser = ["gift", "csv"])]
        format: Option<String>,
    },
}
