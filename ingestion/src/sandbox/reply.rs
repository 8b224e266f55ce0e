//! What the child answers. Its failures quote documents, so that their messages are cut here.

use domain::document::Document;
use domain::ingestion::{Failure, SourceKind};
use serde::{Deserialize, Serialize};

use super::{Bundle, Level, Package, Page};

/// Bytes of the longest message.
const LONGEST: usize = 1_500;
/// Bytes that stay of the end of a longer one.
const END: usize = 300;

#[derive(Serialize, Deserialize)]
pub(super) enum Reply {
    Ready(Level),
    Document(Result<Box<Document>, Failure>),
    Page(Page),
    /// The next bytes of a file of the package; the first ones name it.
    Part {
        path: Option<String>,
    },
    Package(Result<Box<Package>, Failure>),
    /// Its pages' bytes follow one after the other.
    Bundle(Result<Box<Bundle>, Failure>),
    Kind(Result<SourceKind, Failure>),
}

impl Reply {
    /// The same with a message that a report can carry.
    pub(super) fn bounded(mut self) -> Self {
        let failure = match &mut self {
            Self::Document(answer) => answer.as_mut().err(),
            Self::Package(answer) => answer.as_mut().err(),
            Self::Bundle(answer) => answer.as_mut().err(),
            Self::Kind(answer) => answer.as_mut().err(),
            Self::Ready(_) | Self::Page(_) | Self::Part { .. } => None,
        };
        if let Some(failure) = failure {
            failure.message = cut(&failure.message);
        }
        self
    }
}

/// The beginning of a message, and its end, which says what to do.
fn cut(message: &str) -> String {
    if message.len() <= LONGEST {
        return message.to_owned();
    }
    let begin = message.get(..message.floor_char_boundary(LONGEST - END)).unwrap_or_default();
    let end = message.get(message.ceil_char_boundary(message.len() - END)..).unwrap_or_default();
    format!("{begin}…{end}")
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_long_message_loses_its_middle() {
        let long = format!("an element \"{}\" is unknown; export it again", "é".repeat(1 << 20));
        let short = cut(&long);
        assert!(short.starts_with("an element") && short.ends_with("export it again"), "{short}");
        assert!(short.len() < 1_600);
        assert_eq!(cut("short"), "short");
    }
}
