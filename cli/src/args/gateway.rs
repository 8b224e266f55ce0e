//! Verbs of the door to models: its limits and its usage.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// Limits of model use: requests and tokens of a minute and a day, requests at the same time
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum gateway limits set --user ada --requests-minute 60 --tokens-day 100000\n  lyceum gateway limits set --each user --requests-day 500      every user without limits of their own\n  lyceum gateway limits set --whole --concurrent 8              the institution as a whole\n  lyceum gateway limits set --course exam --share 200           its users get twice the share of others while all wait\n  lyceum gateway limits list\n  lyceum gateway limits clear --user ada"
    )]
    Limits(LimitsCommand),
    /// What models were used for, in groups
    #[command(
        after_help = "Examples:\n  lyceum gateway usage --by user\n  lyceum gateway usage --by model --from 2026-11-01 --to 2026-11-30 --json\n  lyceum gateway usage --by day --course intro"
    )]
    Usage(UsageArgs),
    /// What became of the requests since the start, by class
    Stats,
    /// What waits for a model now, oldest first; no texts
    Queue,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WorkerCommand {
    /// List the workers: models, what they have loaded, speed, health
    List,
    /// Let a worker finish what it has and leave
    Drain {
        /// Number of the worker, as listed
        id: u64,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// List the limits that are set
    List,
    /// Set the limits of one scope as a whole: what is not named is not limited
    Set {
        /// Whose use
        #[command(flatten)]
        whose: Whose,
        /// Requests of a minute
        #[arg(long, value_name = "N")]
        requests_minute: Option<u64>,
        /// Requests of a day, UTC
        #[arg(long, value_name = "N")]
        requests_day: Option<u64>,
        /// Tokens of a minute
        #[arg(long, value_name = "N")]
        tokens_minute: Option<u64>,
        /// Tokens of a day, UTC
        #[arg(long, value_name = "N")]
        tokens_day: Option<u64>,
        /// Requests at the same time
        #[arg(long, value_name = "N")]
        concurrent: Option<u64>,
        /// Share of the workers beside others, in per cent of the usual one (200: twice as much)
        #[arg(long, value_name = "PERCENT")]
        share: Option<u64>,
    },
    /// Take the limits of one scope away
    Clear {
        /// Whose use
        #[command(flatten)]
        whose: Whose,
    },
}

/// Whose use is limited.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Whose {
    /// One user, by login name or id
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// One course
    #[arg(long, value_name = "SLUG")]
    pub(crate) course: Option<String>,
    /// One API key, by its id
    #[arg(long, value_name = "ID")]
    pub(crate) key: Option<String>,
    /// Each user, course or key without limits of its own
    #[arg(long, value_name = "KIND")]
    pub(crate) each: Option<Each>,
    /// The institution as a whole
    #[arg(long)]
    pub(crate) whole: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Each {
    User,
    Course,
    Key,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// Grouped by
    #[arg(long, default_value = "day", value_parser = ["institution", "course", "user", "feature", "model", "day"])]
    pub(crate) by: String,
    /// First day, as 2026-11-21
    #[arg(long, value_name = "DAY")]
    pub(crate) from: Option<String>,
    /// Last day, as 2026-11-21
    #[arg(long, value_name = "DAY")]
    pub(crate) to: Option<String>,
    /// Of this course alone
    #[arg(long, value_name = "SLUG")]
    pub(crate) course: Option<String>,
    /// Most lines
    #[arg(long, default_value_t = 50)]
    pub(crate) limit: i64,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make an API key; it is shown this once
    Create {
        /// Login name or id of its owner; the caller when missing
        #[arg(long, value_name = "USER")]
        user: Option<String>,
        /// Course whose use it is
        #[arg(long, value_name = "SLUG")]
        course: Option<String>,
        /// What its owner calls it
        #[arg(long, value_name = "TEXT", default_value = "")]
        name: String,
        /// Days until it ends by itself; never when missing
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=3650))]
        expires_days: Option<i64>,
    },
    /// List API keys: one's own with --as USER, else everybody's
    List {
        /// Login name or id of the owner
        #[arg(long, value_name = "USER")]
        user: Option<String>,
    },
    /// End an API key: within five seconds it opens nothing
    Revoke {
        /// Id of the key
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AiCommand {
    /// Switch the AI of a course on
    On(AiCourse),
    /// Switch the AI of a course off: within five seconds nothing of it reaches a model
    Off(AiCourse),
    /// Say whether it is on
    Show(AiCourse),
}

#[derive(Debug, Args)]
pub(crate) struct AiCourse {
    /// Course
    #[arg(long, value_name = "SLUG")]
    pub(crate) course: String,
}
