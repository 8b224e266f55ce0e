//! What a command says, as frames: the same command prints to this terminal or, forwarded, to the
//! terminal of the process that asked.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// One thing said by a command.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Frame {
    /// A line of the result.
    Line(String),
    /// A line for people, beside the result.
    Note(String),
    /// How far long work is.
    Progress { label: String, done: u64, total: u64, message: String },
    /// The command has ended with this exit code.
    Exit(u8),
}

/// Where a command writes.
#[derive(Clone)]
pub(crate) struct Out {
    frames: mpsc::UnboundedSender<Frame>,
    json: bool,
}

impl Out {
    /// A sink and the frames that come out of it.
    pub(crate) fn new(json: bool) -> (Self, mpsc::UnboundedReceiver<Frame>) {
        let (frames, receiver) = mpsc::unbounded_channel();
        (Self { frames, json }, receiver)
    }

    /// Whether the caller asked for JSON.
    pub(crate) fn json(&self) -> bool {
        self.json
    }

    fn send(&self, frame: Frame) {
        // The reader is gone when the terminal was closed; the work goes on.
        let _ = self.frames.send(frame);
    }

    /// A line of the result.
    pub(crate) fn line(&self, text: impl Into<String>) {
        self.send(Frame::Line(text.into()));
    }

    /// A line for people, on standard error.
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.send(Frame::Note(text.into()));
    }

    /// A JSON object on one line.
    pub(crate) fn object(&self, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(text) => self.line(text),
            Err(error) => self.note(format!("cannot print the result as JSON: {error}")),
        }
    }

    /// JSON where it was asked for, else what `human` makes of it.
    pub(crate) fn result<T: Serialize>(&self, value: &T, human: impl FnOnce(&T) -> String) {
        if self.json { self.object(value) } else { self.line(human(value).trim_end()) }
    }

    /// How far long work is.
    pub(crate) fn progress(&self, label: &str, done: u64, total: u64, message: impl Into<String>) {
        self.send(Frame::Progress { label: label.into(), done, total, message: message.into() });
    }

    /// The last frame.
    pub(crate) fn exit(&self, code: u8) {
        self.send(Frame::Exit(code));
    }
}

/// Prints frames until the exit frame and yields its code.
pub(crate) async fn print(mut frames: mpsc::UnboundedReceiver<Frame>) -> u8 {
    let mut terminal = Terminal::new();
    while let Some(frame) = frames.recv().await {
        if let Some(code) = terminal.show(frame) {
            return code;
        }
    }
    terminal.clear();
    1
}

/// Shows frames on this process's standard output and error.
pub(crate) struct Terminal {
    bar: Option<(String, ProgressBar)>,
    interactive: bool,
    last: String,
}

impl Terminal {
    pub(crate) fn new() -> Self {
        Self { bar: None, interactive: std::io::stderr().is_terminal(), last: String::new() }
    }

    /// Shows one frame; yields the exit code of the last.
    pub(crate) fn show(&mut self, frame: Frame) -> Option<u8> {
        match frame {
            Frame::Line(text) => {
                self.clear();
                // A closed pipe ends the output, not the work.
                let _ = writeln!(std::io::stdout(), "{text}");
            }
            Frame::Note(text) => {
                self.clear();
                let _ = writeln!(std::io::stderr(), "{text}");
            }
            Frame::Progress { label, done, total, message } => self.advance(&label, done, total, &message),
            Frame::Exit(code) => {
                self.clear();
                let _ = std::io::stdout().flush();
                return Some(code);
            }
        }
        None
    }

    fn advance(&mut self, label: &str, done: u64, total: u64, message: &str) {
        if !self.interactive {
            // Without a terminal: one line when a stage begins and one at each quarter.
            let quarter = (done * 4).checked_div(total).unwrap_or(0);
            let key = format!("{label}{quarter}");
            if key != self.last {
                self.last = key;
                let count = if total == 0 { String::new() } else { format!(" {done}/{total}") };
                let _ = writeln!(std::io::stderr(), "{}", format!("{label}{count} {message}").trim_end());
            }
            return;
        }
        if self.bar.as_ref().is_none_or(|(known, _)| known != label) {
            self.clear();
            let style = ProgressStyle::with_template("{prefix:>10} [{bar:32}] {pos}/{len} {msg} eta {eta}")
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(total).with_style(style.progress_chars("=> ")).with_prefix(label.to_owned());
            self.bar = Some((label.to_owned(), bar));
        }
        if let Some((_, bar)) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(message.to_owned());
        }
    }

    /// Takes the bar off the screen.
    pub(crate) fn clear(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}
