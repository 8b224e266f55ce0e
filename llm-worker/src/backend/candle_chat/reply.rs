//! The text of a reply as it grows: whole characters, and nothing of what ends it.

/// Bytes of tokens to pieces of text.
pub(super) struct Reply {
    stops: Vec<String>,
    /// Bytes that are not yet whole characters.
    bytes: Vec<u8>,
    /// Text that may be the begin of a stop.
    held: String,
    /// Whether a space at the begin is no part of the reply.
    trim: bool,
}

impl Reply {
    pub(super) fn new(stops: Vec<String>, trim: bool) -> Self {
        Self {
            stops: stops.into_iter().filter(|stop| !stop.is_empty()).collect(),
            bytes: Vec::new(),
            held: String::new(),
            trim,
        }
    }

    /// Adds a token's bytes: the text that is certain now, and whether a stop was met.
    pub(super) fn add(&mut self, bytes: &[u8]) -> (String, bool) {
        self.bytes.extend_from_slice(bytes);
        let mut text = self.characters();
        if self.trim && !text.is_empty() {
            self.trim = false;
            if text.starts_with(' ') {
                text.remove(0);
            }
        }
        self.held.push_str(&text);
        if let Some(at) = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.held.truncate(at);
            return (std::mem::take(&mut self.held), true);
        }
        let keep = self.stops.iter().map(|stop| begun(&self.held, stop)).max().unwrap_or(0);
        let rest = self.held.split_off(self.held.len() - keep);
        (std::mem::replace(&mut self.held, rest), false)
    }

    /// What was held back, once the reply has ended.
    pub(super) fn rest(&mut self) -> String {
        let broken = if self.bytes.is_empty() { "" } else { "\u{FFFD}" };
        std::mem::take(&mut self.held) + broken
    }

    fn characters(&mut self) -> String {
        let mut text = String::new();
        let mut used = 0;
        for chunk in self.bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            used += chunk.valid().len();
            let broken = chunk.invalid();
            if broken.is_empty() {
                continue;
            }
            // The last bytes may be the begin of a character.
            let open = used + broken.len() == self.bytes.len()
                && std::str::from_utf8(broken).is_err_and(|error| error.error_len().is_none());
            if open {
                break;
            }
            text.push('\u{FFFD}');
            used += broken.len();
        }
        self.bytes.drain(..used);
        text
    }
}

/// Bytes at the end of `text` with which `stop` begins.
fn begun(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len().saturating_sub(1));
    (1..=longest)
        .rev()
        .find(|n| stop.is_char_boundary(*n) && stop.get(..*n).is_some_and(|start| text.ends_with(start)))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Reply;

    fn read(stops: &[&str], tokens: &[&[u8]]) -> (Vec<String>, bool) {
        let mut reply = Reply::new(stops.iter().map(|stop| (*stop).to_owned()).collect(), true);
        let mut pieces = Vec::new();
        for token in tokens {
            let (piece, stopped) = reply.add(token);
            pieces.push(piece);
            if stopped {
                return (pieces, true);
            }
        }
        pieces.push(reply.rest());
        (pieces, false)
    }

    #[test]
    fn a_stop_is_never_shown_even_in_parts() {
        let (pieces, stopped) = read(&["END", "###"], &[b" a E", b"N", b"E", b"N", b"D of it"]);
        assert!(stopped);
        assert_eq!(pieces, ["a ", "", "EN", "", ""]);
        assert_eq!(read(&["END"], &[b"x EN"]), (vec!["x ".to_owned(), "EN".to_owned()], false));
    }

    #[test]
    fn characters_are_shown_whole() {
        let (pieces, _) = read(&[], &[&[0xE2], &[0x82], &[0xAC, 0xFF], b"!", &[0xC3]]);
        assert_eq!(pieces, ["", "", "\u{20AC}\u{FFFD}", "!", "", "\u{FFFD}"]);
    }
}
