//! The command line: verbs, flags, help texts with examples.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod gateway;
mod grade;
mod ingest;
mod learning;
mod quiz;
mod school;
mod scorm;
mod transcript;

pub(crate) use gateway::{AiCommand, Each, GatewayCommand, KeyCommand, LimitsCommand, UsageArgs, Whose, WorkerCommand};
pub(crate) use grade::{AppealCommand, GradeCommand};
pub(crate) use ingest::{IngestCommand, IngestSource, PackCommand, SourceCommand};
pub(crate) use learning::{MasteryArgs, PrerequisiteCommand, RecommendArgs, ReviewCommand};
pub(crate) use quiz::QuizCommand;
pub(crate) use school::{CourseCommand, EnrolCommand, InstitutionCommand, UserCommand};
pub(crate) use scorm::ScormCommand;
pub(crate) use transcript::{OfLesson, TranscriptCommand};

/// A whole school in one binary: courses from real content, a tutor that cites or says no.
#[derive(Debug, Parser)]
#[command(
    name = "lyceum",
    version,
    after_help = "Examples:\n  lyceum demo                                          make a demo school and print its scorecard\n  lyceum serve                                         serve the school in the data directory\n  lyceum ingest dir ./my-course --course my-course     turn a folder into a course\n  lyceum tutor ask --course my-course \"What is ...?\"    ask its tutor\n\nExit codes: 0 ok, 1 failed, 2 usage, 3 partial, 4 not found, 5 refused by policy, 75 try later, 78 bad configuration."
)]
pub(crate) struct Cli {
    /// Folder that holds the school
    #[arg(long, global = true, env = "LYCEUM_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Configuration file (default: DIR/lyceum.toml when it exists)
    #[arg(long, global = true, env = "LYCEUM_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print JSON, one object a line, instead of text for people
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say what would be done and change nothing
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Institution to act in (default: the only one there is)
    #[arg(long, global = true, value_name = "SLUG")]
    pub(crate) institution: Option<String>,
    /// Act as this user, with that user's rights (default: the operator, who owns the data directory)
    #[arg(long = "as", global = true, value_name = "USER")]
    pub(crate) as_user: Option<String>,
    /// Verb
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve the school over HTTP until a signal comes
    #[command(
        after_help = "Examples:\n  lyceum serve\n  lyceum --data-dir /srv/school serve --listen 127.0.0.1:9000\n  lyceum serve --worker-listen 0.0.0.0:7070                        let other machines run models for this school\n  lyceum serve --role worker --gateway school.example:7070 --token T   run models for that school, here"
    )]
    Serve(ServeArgs),
    /// Build a demo school from bundled content, check every promise, print a scorecard
    #[command(
        after_help = "Examples:\n  lyceum demo --data-dir ./demo-school --json\n  lyceum demo --serve        go on serving afterwards"
    )]
    Demo(DemoArgs),
    /// Check the machine: what is there, what is missing, what each absence costs
    Doctor,
    /// Bring content in: a folder, a git repository, a package of another platform, a document, a video
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum ingest dir ./course --course intro\n  lyceum ingest git https://github.com/OWNER/REPO --course intro\n  lyceum ingest scorm package.zip --course safety\n  lyceum ingest cartridge export.imscc --course intro\n  lyceum ingest file handbook.pdf --course safety\n  lyceum ingest video lecture.mp4 --captions lecture.vtt --course intro\n  lyceum ingest youtube https://www.youtube.com/playlist?list=ID --course intro\n  lyceum ingest web https://example.org/guide/ --site --course intro\n  lyceum ingest plan dir ./course --course intro       what it would do, how long, how big\n  lyceum ingest status ID --watch\n  lyceum ingest pause ID                               and resume, retry, cancel"
    )]
    Ingest(IngestCommand),
    /// Where courses come from: what was kept, fetching again, schedules, removal
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum source list --course intro\n  lyceum source show ID\n  lyceum source refresh ID\n  lyceum source schedule ID --cron \"0 3 * * *\"    each day at 3:00 UTC\n  lyceum source remove ID --yes"
    )]
    Source(SourceCommand),
    /// See and mend queued work
    #[command(subcommand)]
    Job(JobCommand),
    /// Fetch, check and try models
    #[command(subcommand)]
    Model(ModelCommand),
    /// Courses
    #[command(subcommand)]
    Course(CourseCommand),
    /// Users and their roles
    #[command(subcommand)]
    User(UserCommand),
    /// Institutions
    #[command(subcommand)]
    Institution(InstitutionCommand),
    /// Enrolments
    #[command(subcommand)]
    Enrol(EnrolCommand),
    /// Search a course
    #[command(
        after_help = "Examples:\n  lyceum search --course intro \"borrow checker\" --limit 5\n  lyceum search --course intro --batch queries.txt --json"
    )]
    Search(SearchArgs),
    /// Transcripts of recordings: show, correct, align a text, export captions
    #[command(subcommand)]
    Transcript(TranscriptCommand),
    /// The course tutor
    #[command(subcommand)]
    Tutor(TutorCommand),
    /// What a learner does best next, each lesson with its reason
    #[command(
        after_help = "Examples:\n  lyceum recommend --course intro --user ada --why\n  lyceum --as ada recommend --course intro --json"
    )]
    Recommend(RecommendArgs),
    /// How well a learner masters each concept of a course
    #[command(after_help = "Example:\n  lyceum mastery --course intro --user ada")]
    Mastery(MasteryArgs),
    /// Questions to remember: what is due, and how well it was remembered
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum --as ada review due\n  lyceum --as ada review answer QUESTION --rating good"
    )]
    Review(ReviewCommand),
    /// Which lesson needs which
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum prerequisite list --course intro\n  lyceum prerequisite set \"Aliasing\" \"The sampling theorem\" --course intro\n  lyceum prerequisite remove \"Dither\" \"What sound is\" --course intro"
    )]
    Prerequisite(PrerequisiteCommand),
    /// Questions: drafts from a course's own words, or by a model under check
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum quiz generate --course intro --count 20\n  lyceum quiz list --course intro --state draft\n  lyceum quiz approve ID ID\n  lyceum quiz create --course intro --title \"Week 1\" --questions ID,ID --publish\n  lyceum --as ann quiz take QUIZ"
    )]
    Quiz(QuizCommand),
    /// SCORM packages: what came of them, and what they set
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum scorm results --course safety\n  lyceum scorm trace ATTEMPT\n  lyceum scorm trace ATTEMPT --replay --json"
    )]
    Scorm(ScormCommand),
    /// Grading: proposals with evidence, grades that a person sets and releases, calibration, regrade
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum --as ines grade queue --course intro\n  lyceum --as ines grade propose SUBMISSION\n  lyceum --as ines grade set SUBMISSION --level answer=full\n  lyceum --as ines grade release SUBMISSION\n  lyceum grade propose --items answers.jsonl --json"
    )]
    Grade(GradeCommand),
    /// Appeals against released grades
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum --as leo appeal open SUBMISSION \"My second sentence says it.\"\n  lyceum --as ines appeal list --course intro --outcome open"
    )]
    Appeal(AppealCommand),
    /// The door to models: limits and usage
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum gateway limits set --user ada --requests-minute 60\n  lyceum gateway usage --by user"
    )]
    Gateway(GatewayCommand),
    /// Machines that run models
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum worker list\n  lyceum worker drain 3\n  lyceum serve --role worker --gateway school.example:7070 --token T    add this machine"
    )]
    Worker(WorkerCommand),
    /// API keys, with which scripts call models
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum key create --user ines --course intro --name \"marking script\" --expires-days 90\n  lyceum --as ines key list\n  lyceum key revoke ID"
    )]
    Key(KeyCommand),
    /// Check the invariants of everything stored
    Verify,
    /// Vector index: reconcile with the rows, or rebuild from them
    #[command(subcommand)]
    Index(IndexCommand),
    /// Measure quality against datasets
    #[command(subcommand)]
    Eval(EvalCommand),
    /// Show and check the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print the OpenAPI document
    ExportOpenapi,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Address and port (the next free port is taken, and printed, when this one is in use)
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<String>,
    /// What this process does
    #[arg(long, value_enum, default_value_t = ServeRole::All)]
    pub(crate) role: ServeRole,
    /// Address for workers that dial in (off unless given)
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) worker_listen: Option<String>,
    /// Gateway that the worker dials
    #[arg(long, value_name = "ADDR:PORT", required_if_eq("role", "worker"))]
    pub(crate) gateway: Option<String>,
    /// Token that workers show to the gateway (it made one, in the file worker-token of its data directory)
    #[arg(long, env = "LYCEUM_WORKER_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

/// What a serving process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServeRole {
    /// The whole school
    All,
    /// Only run models, for the gateway of another process; holds no school
    Worker,
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Go on serving the demo school afterwards
    #[arg(long)]
    pub(crate) serve: bool,
    /// Address and port to serve at
    #[arg(long, value_name = "ADDR:PORT", requires = "serve")]
    pub(crate) listen: Option<String>,
    /// Do without the embedding model, to see what keyword search alone does
    #[arg(long)]
    pub(crate) without_model: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// Depth and age of the queue
    Stats,
    /// Jobs that gave up
    #[command(subcommand)]
    Dead(DeadCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeadCommand {
    /// List them
    List,
    /// Show one
    Show {
        /// Job id
        id: String,
    },
    /// Make one ready again
    Retry {
        /// Job id
        id: String,
    },
    /// Drop one for good
    Drop {
        /// Job id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Models of the catalogue and which are here
    List,
    /// Fetch a model and check its sha256
    Pull {
        /// Alias of the catalogue (default: the embedding model and what runs it fastest here)
        alias: Option<String>,
    },
    /// Check the files of the models that are here
    Verify,
    /// Run a model on a few texts: does it answer, how fast, do its runtimes agree
    Probe {
        /// Model id (default: all that are here)
        model: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// What to look for
    #[arg(required_unless_present = "batch")]
    pub(crate) query: Option<String>,
    /// Course
    #[arg(long, value_name = "SLUG")]
    pub(crate) course: String,
    /// Most results
    #[arg(long, default_value_t = 10)]
    pub(crate) limit: usize,
    /// A file with a query a line; one JSON object a line comes out
    #[arg(long, value_name = "FILE", conflicts_with = "query")]
    pub(crate) batch: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TutorCommand {
    /// Ask a question about a course
    #[command(
        after_help = "Examples:\n  lyceum tutor ask --course intro \"Why does a tide come twice a day?\"\n  lyceum tutor ask --course intro --batch questions.txt --json"
    )]
    Ask {
        /// The question
        #[arg(required_unless_present = "batch")]
        question: Option<String>,
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
        /// A file with a question a line; one JSON object a line comes out
        #[arg(long, value_name = "FILE", conflicts_with = "question")]
        batch: Option<PathBuf>,
    },
    /// Show how the scope gate of a course is calibrated, with its two error rates
    Gate {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum IndexCommand {
    /// Make the index equal to the rows
    Reconcile,
    /// Fill an empty index from the rows
    Rebuild,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvalCommand {
    /// Run suites
    #[command(
        after_help = "Example:\n  lyceum eval run --suite retrieval,scope --source ./rust-book --report ./report"
    )]
    Run {
        /// Suites, by comma
        #[arg(long, value_delimiter = ',', default_value = "retrieval,scope")]
        suite: Vec<String>,
        /// Course to measure (ingested from --source when that is given)
        #[arg(long, value_name = "SLUG", default_value = "eval")]
        course: String,
        /// Folder that the datasets ask about
        #[arg(long, value_name = "DIR")]
        source: Option<PathBuf>,
        /// Question dataset (JSONL); default: the one of the suite
        #[arg(long, value_name = "FILE")]
        dataset: Option<PathBuf>,
        /// Folder with data that is not built in: `sciEntsBank` and `beetle` of SemEval-2013 task 7, for the suite "grading"
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Folder for report.html, report.md and metrics.json
        #[arg(long, value_name = "DIR", default_value = "eval-report")]
        report: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective configuration, secrets masked
    Show,
    /// Check the configuration; exit 78 names the field that is wrong
    Check,
}
