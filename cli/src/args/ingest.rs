//! Verbs that bring content in and watch it: `ingest` and `source`.

mod pack;

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub(crate) use pack::PackCommand;

#[derive(Debug, Args)]
pub(crate) struct IngestArgs {
    /// Slug of the course; it is made when it is not there
    #[arg(long, value_name = "SLUG")]
    pub(crate) course: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IngestSource {
    /// A folder of documents
    Dir {
        /// The folder
        path: String,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// A git repository: a local path, a bundle, an https address, or OWNER/REPO[@REF] of GitHub
    #[command(visible_alias = "github")]
    Git {
        /// Path, bundle, address, or OWNER/REPO; @REF names a branch or tag
        path: String,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// A SCORM 1.2 or 2004 package
    Scorm {
        /// The zip file
        path: String,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// A Common Cartridge (.imscc), as Canvas and other platforms export courses
    Cartridge {
        /// The .imscc file
        path: String,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// Questions in QTI 1.2, 2.1 or 2.2: a package, a folder or one file
    Qti {
        /// Zip file, folder or XML file
        path: String,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// An H5P package
    H5p {
        /// The .h5p file
        path: String,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// A cmi5 course: a package, or its cmi5.xml alone
    Cmi5 {
        /// Zip file or XML file
        path: String,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// One document: Markdown, HTML, PDF, DOCX, PPTX, EPUB, notebook, CSV, VTT or SRT; a package goes to its kind
    File {
        /// The file
        path: String,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// A recording with its captions
    Video {
        /// The recording
        path: String,
        /// Captions (VTT or SRT); a file of the same name beside the recording is found by itself
        #[arg(long, value_name = "FILE")]
        captions: Option<PathBuf>,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// A video, playlist or channel of youtube.com, with captions and chapters (needs yt-dlp)
    #[command(group(clap::ArgGroup::new("which").required(true).args(["address", "id"])))]
    Youtube {
        /// Address of the video, playlist or channel
        address: Option<String>,
        /// The 11 characters of a video instead of an address
        #[arg(long, value_name = "ID", allow_hyphen_values = true)]
        id: Option<String>,
        /// You have the right to store the recording itself; without it the site's own player shows it
        #[arg(long)]
        rights: bool,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// A page that shows a recording, on a host of `ingest_allow_hosts` (needs yt-dlp)
    VideoPage {
        /// Address of the page
        address: String,
        /// You have the right to store the recording itself
        #[arg(long)]
        rights: bool,
        #[command(flatten)]
        common: IngestArgs,
    },
    /// A page of the web, or the pages of its site that it links to; robots.txt is respected
    #[command(
        after_help = "Examples:\n  lyceum ingest web https://example.org/page.html --course intro\n  lyceum ingest web https://example.org/guide/ --site --max-pages 100 --depth 4 --course intro"
    )]
    Web {
        /// Address of the page, https
        address: String,
        /// Read the pages that it links to as well, on the same host
        #[arg(long)]
        site: bool,
        /// Most pages of a site, up to 1000
        #[arg(long, value_name = "N", default_value_t = 50, requires = "site")]
        max_pages: usize,
        /// Most links between the first page and the last, up to 10
        #[arg(long, value_name = "N", default_value_t = 3, requires = "site")]
        depth: usize,
        #[command(flatten)]
        common: IngestArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum IngestCommand {
    #[command(flatten)]
    Source(IngestSource),
    #[command(flatten)]
    Offline(PackCommand),
    /// What a run would do: documents, bytes, what is unchanged, time, disk; the same as --dry-run
    #[command(
        subcommand,
        after_help = "Examples:\n  lyceum ingest plan dir ./course --course intro\n  lyceum ingest plan web https://example.org/guide/ --site --course intro --json"
    )]
    Plan(IngestSource),
    /// Runs of the pipeline and where they are; of one run its stages, what is left and what it waits for
    #[command(
        after_help = "Examples:\n  lyceum ingest status --course intro\n  lyceum ingest status ID\n  lyceum ingest status ID --watch --json       a line at each change"
    )]
    Status {
        /// Only this run
        id: Option<String>,
        /// Only this course
        #[arg(long, value_name = "SLUG", conflicts_with = "id")]
        course: Option<String>,
        /// Follow the run until it ends or waits for a person
        #[arg(long, requires = "id")]
        watch: bool,
    },
    /// Hold a run: it starts nothing new, and nothing is lost
    Pause {
        /// Run id
        id: String,
    },
    /// Let a held run go on from its last checkpoint, and follow it
    Resume {
        /// Run id
        id: String,
        /// Do not wait for its end (it goes on in the server, or with the next command)
        #[arg(long)]
        detach: bool,
    },
    /// Do again what failed, and only that, and follow it
    Retry {
        /// Run id
        id: String,
        /// Do not wait for its end (it goes on in the server, or with the next command)
        #[arg(long)]
        detach: bool,
    },
    /// Call a run off; the course keeps its earlier version
    Cancel {
        /// Run id
        id: String,
    },
    /// What the institution may store and run at once; without options it is shown
    #[command(
        after_help = "Examples:\n  lyceum ingest limits\n  lyceum ingest limits --stored 20GiB --runs 2\n  lyceum ingest limits --stored none --runs none"
    )]
    Limits {
        /// Most bytes stored, such as 500MiB or 20GiB, or none
        #[arg(long, value_name = "SIZE")]
        stored: Option<String>,
        /// Most runs at work at the same time, or none
        #[arg(long, value_name = "N")]
        runs: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SourceCommand {
    /// Sources of a course: what they brought, and when
    List {
        /// Course
        #[arg(long, value_name = "SLUG")]
        course: String,
    },
    /// One source: what was kept, what vanished, what could not be read, licence, schedule
    Show {
        /// Source id
        id: String,
    },
    /// Fetch a source again, and follow the run
    Refresh {
        /// Source id
        id: String,
        /// Do not wait for its end (it goes on in the server, or with the next command)
        #[arg(long)]
        detach: bool,
    },
    /// Take a source out of its course with its lessons and passages
    Remove {
        /// Source id
        id: String,
        /// Do it; without, only what would go is said
        #[arg(long)]
        yes: bool,
    },
    /// Fetch a source again at set times, in UTC, while the server runs
    #[command(
        group(clap::ArgGroup::new("when").required(true).args(["cron", "off"])),
        after_help = "Examples:\n  lyceum source schedule ID --cron \"0 3 * * *\"        each day at 3:00 UTC\n  lyceum source schedule ID --cron \"30 22 * * fri\"    Fridays at 22:30 UTC\n  lyceum source schedule ID --off"
    )]
    Schedule {
        /// Source id
        id: String,
        /// Minute, hour, day of the month, month, weekday; UTC
        #[arg(long, value_name = "FIELDS")]
        cron: Option<String>,
        /// End the schedule
        #[arg(long)]
        off: bool,
    },
}
