//! Verbs of transcripts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Which lesson.
#[derive(Debug, Args)]
pub(crate) struct OfLesson {
    /// Id of the lesson, or its title with --course
    pub(crate) lesson: String,
    /// Course in which the title is looked for
    #[arg(long, value_name = "SLUG")]
    pub(crate) course: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TranscriptCommand {
    /// Show the lines with their times, who wrote them, and corrections without a place
    Show(OfLesson),
    /// Correct it: by a caption file as a whole, or a word everywhere
    #[command(
        after_help = "Examples:\n  lyceum transcript edit \"Week 1\" --course intro --file corrected.vtt\n  lyceum transcript edit LESSON --find \"Nyquist criteria\" --replace \"Nyquist criterion\""
    )]
    Edit {
        #[command(flatten)]
        of: OfLesson,
        /// Captions (VTT or SRT) that take the place of all lines
        #[arg(long, value_name = "FILE", required_unless_present = "find")]
        file: Option<PathBuf>,
        /// Words to replace, in exactly this spelling
        #[arg(long, value_name = "WORDS", requires = "replace", conflicts_with = "file")]
        find: Option<String>,
        /// What to put in their place
        #[arg(long, value_name = "WORDS", requires = "find")]
        replace: Option<String>,
    },
    /// Give a text that somebody wrote down the times of the transcript
    #[command(
        after_help = "Examples:\n  lyceum transcript align LESSON lecture.txt                shows what fits, changes nothing\n  lyceum transcript align LESSON lecture.txt --save         takes it as the transcript"
    )]
    Align {
        #[command(flatten)]
        of: OfLesson,
        /// The text, UTF-8
        file: PathBuf,
        /// Take the aligned text as the transcript
        #[arg(long)]
        save: bool,
        /// Save nothing below this share of words whose time is known
        #[arg(long, default_value_t = 0.7, value_name = "0-1")]
        least: f64,
    },
    /// Print the captions as a VTT file
    Export(OfLesson),
}
