//! `lyceum ingest pack` and `lyceum ingest load`: content for a server without a network.

use std::path::PathBuf;

use clap::Subcommand;

use super::IngestArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum PackCommand {
    /// Fetch sources here and write them into one signed file, for a server without a network
    #[command(
        after_help = "Examples:\n  lyceum ingest pack https://www.youtube.com/playlist?list=ID --out course.lyp\n  lyceum ingest pack git:https://github.com/OWNER/REPO dir:./handouts lecture.mp4 --out course.lyp\n  lyceum ingest pack ./handouts --out course.lyp --dry-run     fetch, and say what would be packed\n\nA source is a path or an address, or KIND:PLACE with a kind of \"lyceum ingest\". The key that is printed is\nwhat the other machine has to trust. The file may hold answers of quizzes: only its owner may read it."
    )]
    Pack {
        /// What to fetch
        #[arg(required = true, value_name = "SOURCE")]
        sources: Vec<String>,
        /// The file to write; it must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// You have the right to store the recordings themselves
        #[arg(long)]
        rights: bool,
    },
    /// Load what `ingest pack` wrote on another machine; a load that was cut off goes on when it is run again
    #[command(
        after_help = "Examples:\n  lyceum ingest load course.lyp --course intro --trust ed25519:3f0a...\n  lyceum ingest load course.lyp --course intro --dry-run --trust ed25519:3f0a...     check the whole file\n\nKeys that are always trusted stand in the setting \"pack_trust\"; this school's own key is trusted too."
    )]
    Load {
        /// The file
        file: PathBuf,
        /// A key to trust, as `ingest pack` printed it
        #[arg(long, value_name = "KEY")]
        trust: Vec<String>,
        #[command(flatten)]
        common: IngestArgs,
    },
}
