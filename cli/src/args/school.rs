//! Courses, people and institutions.

use clap::{Subcommand, ValueEnum};

use super::AiCommand;

#[derive(Debug, Subcommand)]
pub(crate) enum CourseCommand {
    /// List courses
    List,
    /// Show one course with its modules and lessons
    Show {
        /// Slug
        slug: String,
    },
    /// Make a course
    Create {
        /// Slug
        slug: String,
        /// Title
        #[arg(long)]
        title: Option<String>,
        /// Description
        #[arg(long, default_value = "")]
        description: String,
    },
    /// Publish a course
    Publish {
        /// Slug
        slug: String,
        /// Who may see it: private, institution or public
        #[arg(long, value_enum, default_value_t = Visibility::Institution)]
        visibility: Visibility,
    },
    /// Switch the AI of a course off and on
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum course ai off --course intro\n  lyceum course ai show --course intro --json"
    )]
    Ai(AiCommand),
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Visibility {
    Private,
    Institution,
    Public,
}

impl Visibility {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Institution => "institution",
            Self::Public => "public",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List users
    List,
    /// Make a user; a password is generated and printed once unless one is given on standard input
    Create {
        /// Login name
        username: String,
        /// Name for people
        #[arg(long)]
        name: Option<String>,
        /// E-mail address
        #[arg(long)]
        email: Option<String>,
        /// Read the password from standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Give a role
    Grant {
        /// Login name
        username: String,
        /// Role: admin, instructor, learner, creator, ...
        role: String,
        /// Only in this course
        #[arg(long, value_name = "SLUG")]
        course: Option<String>,
    },
    /// Take a role away
    Revoke {
        /// Login name
        username: String,
        /// Role
        role: String,
        /// Only in this course
        #[arg(long, value_name = "SLUG")]
        course: Option<String>,
    },
    /// Suspend a user: no role holds until activated again
    Suspend {
        /// Login name
        username: String,
    },
    /// Activate a suspended user
    Activate {
        /// Login name
        username: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum InstitutionCommand {
    /// List institutions
    List,
    /// Make an institution
    Create {
        /// Slug
        slug: String,
        /// Name for people
        #[arg(long)]
        name: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnrolCommand {
    /// Enrol a user as learner
    Add {
        /// Login name
        username: String,
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
    /// Drop an enrolment
    Remove {
        /// Login name
        username: String,
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
    /// Who is enrolled
    List {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
}
