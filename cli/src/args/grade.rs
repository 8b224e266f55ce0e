//! Verbs of grading and of appeals.

use std::path::PathBuf;

use clap::Subcommand;
use domain::{AppealId, QuestionId, SubmissionId};

/// `lyceum grade`.
#[derive(Debug, Subcommand)]
pub(crate) enum GradeCommand {
    /// Propose grades: for submissions, for all that wait on a question, or for answers in a file
    #[command(
        after_help = "A proposal is never a grade. --question works on all that wait, once 20 graded submissions agree with their proposals.\n\nExamples:\n  lyceum --as ines grade propose SUBMISSION\n  lyceum --as ines grade propose --question QUESTION\n  lyceum grade propose --items answers.jsonl --json"
    )]
    Propose {
        /// JSON lines: {"id","question","reference","references":[],"answer","max","graded":[{"answer","score"}]}
        #[arg(long, value_name = "FILE", conflicts_with_all = ["submissions", "question"])]
        items: Option<PathBuf>,
        /// Submissions
        #[arg(value_name = "SUBMISSION", required_unless_present_any = ["items", "question"])]
        submissions: Vec<SubmissionId>,
        /// All submissions to this question that wait
        #[arg(long, value_name = "QUESTION", conflicts_with = "submissions")]
        question: Option<QuestionId>,
    },
    /// What waits for a person: appeals, flags and doubts first
    Queue {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
        /// Only what stands there
        #[arg(long, value_parser = ["waiting", "graded", "released"])]
        state: Option<String>,
    },
    /// Show a submission with rubric, proposal, evidence and history
    Show {
        /// Submission
        #[arg(value_name = "SUBMISSION")]
        id: SubmissionId,
    },
    /// Set a grade as --as USER; it reaches the learner when it is released
    #[command(
        after_help = "Examples:\n  lyceum --as ines grade set SUBMISSION --level answer=full\n  lyceum --as ines grade set SUBMISSION --level thesis=half --level sources=none --reason \"the source is the wrong one\""
    )]
    Set {
        /// Submission
        #[arg(value_name = "SUBMISSION")]
        id: SubmissionId,
        /// A level for each criterion
        #[arg(long = "level", value_name = "CRITERION=LEVEL", required = true)]
        levels: Vec<String>,
        /// To the learner
        #[arg(long)]
        comment: Option<String>,
        /// Why it differs from the proposal or from the grade before
        #[arg(long)]
        reason: Option<String>,
    },
    /// Release grades to their learners, as --as USER: a person who teaches the course
    Release {
        /// Submissions
        #[arg(required = true, value_name = "SUBMISSION")]
        ids: Vec<SubmissionId>,
    },
    /// Count every grade of a question by its newest rubric; with --dry-run only show what would change
    Regrade {
        /// Question
        #[arg(value_name = "QUESTION")]
        question: QuestionId,
    },
    /// How well proposals agree with the people who graded, and what that allows
    Calibrate {
        /// Question
        #[arg(value_name = "QUESTION")]
        question: QuestionId,
    },
    /// Show the rubric of a question, or write its next version from a file
    #[command(
        after_help = "The file holds a JSON list: [{\"id\",\"title\",\"reference\",\"points\",\"levels\":[{\"id\",\"title\",\"share\"}]}]; one level has the share 1, one the share 0.\n\nExamples:\n  lyceum grade rubric QUESTION --json\n  lyceum grade rubric QUESTION --set rubric.json"
    )]
    Rubric {
        /// Question
        #[arg(value_name = "QUESTION")]
        question: QuestionId,
        /// The next version
        #[arg(long, value_name = "FILE")]
        set: Option<PathBuf>,
    },
    /// Released grades of a course as CSV: one's own, or everybody's
    Export {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
        /// Into this file instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// `lyceum appeal`.
#[derive(Debug, Subcommand)]
pub(crate) enum AppealCommand {
    /// Appeal against the released grade of one's own submission, as --as USER
    Open {
        /// Submission
        #[arg(value_name = "SUBMISSION")]
        id: SubmissionId,
        /// Against this criterion alone
        #[arg(long)]
        criterion: Option<String>,
        /// Why the grade is wrong
        text: String,
    },
    /// List the appeals of a course, those due first at the top
    List {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
        /// Only with this outcome
        #[arg(long, value_parser = ["open", "upheld", "changed"])]
        outcome: Option<String>,
    },
    /// Answer an appeal, as --as USER; whether the points changed is read from the grades
    #[command(
        after_help = "Where the learner is right, set and release a new grade first:\n  lyceum --as ines grade set SUBMISSION --level answer=full --reason \"it does say so\"\n  lyceum --as ines grade release SUBMISSION\n  lyceum --as ines appeal answer APPEAL \"You are right.\""
    )]
    Answer {
        /// Appeal
        #[arg(value_name = "APPEAL")]
        id: AppealId,
        /// To the learner
        text: String,
    },
}
