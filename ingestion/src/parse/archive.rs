//! Zip reading with limits of its own (PKWARE APPNOTE 6.3): names are data, never paths to write.
//!
//! Everything is checked in the central directory before a byte is inflated, and counted again on
//! the real bytes while inflating.

use std::collections::HashSet;
use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use domain::ingestion::{Failure, failure};
use unicode_normalization::UnicodeNormalization;

/// What an archive may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Inflated bytes of all entries.
    pub total: u64,
    /// Inflated bytes of one entry.
    pub entry: u64,
    /// Inflated bytes for each stored one, once an entry is larger than `ratio_from`.
    pub ratio: u64,
    /// Entries up to this size may have any ratio.
    pub ratio_from: u64,
    /// Entries.
    pub entries: u64,
    /// Wall time.
    pub time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            total: 2 << 30,
            entry: 512 << 20,
            ratio: 100,
            ratio_from: 1 << 20,
            entries: 10_000,
            time: Duration::from_secs(60),
        }
    }
}

/// An entry that is a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path within the archive, with `/`.
    pub name: String,
    /// Inflated size as declared.
    pub size: u64,
    packed: u64,
    method: u16,
    offset: u64,
    crc: u32,
}

/// An archive whose directory has been checked.
pub struct Archive<R> {
    reader: R,
    entries: Vec<Entry>,
    limits: Limits,
    spent: u64,
    started: Instant,
}

fn broken(reason: &str) -> Failure {
    Failure::new(failure::BROKEN_ARCHIVE, format!("the zip archive is damaged: {reason}; export or download it again"))
}

fn hostile(reason: impl std::fmt::Display) -> Failure {
    Failure::new(
        failure::HOSTILE_ARCHIVE,
        format!("the zip archive is refused: {reason}; make a plain archive without it"),
    )
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u64> {
    let slice = bytes.get(at..at.checked_add(width)?)?;
    Some(slice.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

fn short(bytes: &[u8], at: usize) -> Result<u64, Failure> {
    number(bytes, at, 2).ok_or_else(|| broken("a header is cut off"))
}

fn word(bytes: &[u8], at: usize) -> Result<u64, Failure> {
    number(bytes, at, 4).ok_or_else(|| broken("a header is cut off"))
}

fn long(bytes: &[u8], at: usize) -> Result<u64, Failure> {
    number(bytes, at, 8).ok_or_else(|| broken("a header is cut off"))
}

fn size_of(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

impl<R: Read + Seek> Archive<R> {
    /// Reads and checks the directory.
    ///
    /// # Errors
    /// `BROKEN_ARCHIVE` or `HOSTILE_ARCHIVE`.
    pub fn open(mut reader: R, limits: Limits) -> Result<Self, Failure> {
        let started = Instant::now();
        let length = reader.seek(SeekFrom::End(0)).map_err(|error| broken(&error.to_string()))?;
        let (count, size, offset) = end_record(&mut reader, length)?;
        if count > limits.entries {
            return Err(hostile(format!("it has {count} entries, more than {}", limits.entries)));
        }
        if size > 64 << 20 || offset.checked_add(size).is_none_or(|end| end > length) {
            return Err(broken("its directory lies outside the file"));
        }
        let directory = read_at(&mut reader, offset, size)?;
        let mut entries = Vec::new();
        let mut names = HashSet::new();
        let mut at = 0;
        let mut total = 0_u64;
        for _ in 0..count {
            let (entry, next) = directory_entry(&directory, at)?;
            at = next;
            if !names.insert(entry.name.trim_end_matches('/').nfc().collect::<String>()) {
                return Err(hostile(format!("it has two entries named \"{}\"", shown(&entry.name))));
            }
            if entry.size > limits.entry {
                return Err(hostile(format!("\"{}\" is larger than {} MiB", shown(&entry.name), limits.entry >> 20)));
            }
            if entry.size > limits.ratio_from && entry.size / limits.ratio > entry.packed {
                return Err(hostile(format!("\"{}\" inflates more than {}:1", shown(&entry.name), limits.ratio)));
            }
            total = total.saturating_add(entry.size);
            entries.push(entry);
        }
        if total > limits.total {
            return Err(hostile(format!("it inflates to more than {} MiB", limits.total >> 20)));
        }
        overlaps(&entries, offset)?;
        entries.retain(|entry| !entry.name.ends_with('/'));
        Ok(Self { reader, entries, limits, spent: 0, started })
    }

    /// The files of the archive, in the order of its directory.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Inflates one entry into `sink`, which sees at most the bytes that the limits allow.
    ///
    /// # Errors
    /// `HOSTILE_ARCHIVE` when a limit breaks on the real bytes, `BROKEN_ARCHIVE` when they are damaged.
    pub fn read(&mut self, entry: &Entry, sink: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
        let name = shown(&entry.name);
        let header = read_at(&mut self.reader, entry.offset, 30)?;
        if header.get(..4) != Some(b"PK\x03\x04") {
            return Err(broken(&format!("the header of \"{name}\" is missing")));
        }
        if short(&header, 6)? & 1 == 1 {
            return Err(hostile(format!("\"{name}\" is encrypted")));
        }
        let start = entry.offset + 30 + short(&header, 26)? + short(&header, 28)?;
        self.reader.seek(SeekFrom::Start(start)).map_err(|error| broken(&error.to_string()))?;
        let packed = (&mut self.reader).take(entry.packed);
        let mut inflater: Box<dyn Read + '_> = match entry.method {
            0 => Box::new(packed),
            _ => Box::new(flate2::read::DeflateDecoder::new(packed)),
        };
        let mut crc = flate2::Crc::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut size = 0_u64;
        loop {
            let count = inflater.read(&mut buffer).map_err(|error| broken(&format!("\"{name}\": {error}")))?;
            let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
            size += bytes.len() as u64;
            self.spent += bytes.len() as u64;
            if size > self.limits.entry || self.spent > self.limits.total {
                return Err(hostile(format!("\"{name}\" inflates past the limit")));
            }
            if size > self.limits.ratio_from && size / self.limits.ratio > entry.packed {
                return Err(hostile(format!("\"{name}\" inflates more than {}:1", self.limits.ratio)));
            }
            if size > entry.size {
                return Err(hostile(format!("\"{name}\" holds more than the {} bytes it declares", entry.size)));
            }
            if self.started.elapsed() > self.limits.time {
                return Err(hostile("reading it takes too long"));
            }
            crc.update(bytes);
            sink(bytes);
        }
        if size != entry.size || crc.sum() != entry.crc {
            return Err(broken(&format!("the bytes of \"{name}\" do not match their checksum")));
        }
        Ok(())
    }
}

fn read_at<R: Read + Seek>(reader: &mut R, offset: u64, size: u64) -> Result<Vec<u8>, Failure> {
    reader.seek(SeekFrom::Start(offset)).map_err(|error| broken(&error.to_string()))?;
    let mut bytes = Vec::new();
    reader.take(size).read_to_end(&mut bytes).map_err(|error| broken(&error.to_string()))?;
    if bytes.len() as u64 == size { Ok(bytes) } else { Err(broken("it is cut off")) }
}

/// Count of entries, size and offset of the directory.
fn end_record<R: Read + Seek>(reader: &mut R, length: u64) -> Result<(u64, u64, u64), Failure> {
    if length < 22 {
        return Err(broken("it is too short to be a zip archive"));
    }
    let tail = length.min(22 + 0xffff + 20);
    let bytes = read_at(reader, length - tail, tail)?;
    let at = (0..=bytes.len().saturating_sub(22))
        .rev()
        .find(|at| {
            bytes.get(*at..at + 4) == Some(b"PK\x05\x06")
                && short(&bytes, at + 20).is_ok_and(|comment| at + 22 + size_of(comment) <= bytes.len())
        })
        .ok_or_else(|| broken("it has no directory, so it is not a zip archive or its end is missing"))?;
    if short(&bytes, at + 4)? != 0 && short(&bytes, at + 4)? != 0xffff {
        return Err(hostile("it is one of several volumes"));
    }
    let (mut count, mut size, mut offset) = (short(&bytes, at + 10)?, word(&bytes, at + 12)?, word(&bytes, at + 16)?);
    let locator = at.checked_sub(20).filter(|locator| bytes.get(*locator..locator + 4) == Some(b"PK\x06\x07"));
    if let (true, Some(locator)) = (count == 0xffff || size == 0xffff_ffff || offset == 0xffff_ffff, locator) {
        let record = read_at(reader, long(&bytes, locator + 8)?, 56)?;
        if record.get(..4) != Some(b"PK\x06\x06") {
            return Err(broken("its zip64 directory record is missing"));
        }
        (count, size, offset) = (long(&record, 32)?, long(&record, 40)?, long(&record, 48)?);
    }
    Ok((count, size, offset))
}

fn directory_entry(directory: &[u8], at: usize) -> Result<(Entry, usize), Failure> {
    if directory.get(at..at + 4) != Some(b"PK\x01\x02") {
        return Err(broken("its directory ends early"));
    }
    let flags = short(directory, at + 8)?;
    let method = short(directory, at + 10)?;
    let (mut packed, mut size) = (word(directory, at + 20)?, word(directory, at + 24)?);
    let (name_length, extra_length, comment_length) =
        (size_of(short(directory, at + 28)?), size_of(short(directory, at + 30)?), size_of(short(directory, at + 32)?));
    let made_by = short(directory, at + 4)? >> 8;
    let mode = word(directory, at + 38)? >> 16;
    let mut offset = word(directory, at + 42)?;
    let raw = directory.get(at + 46..at + 46 + name_length).ok_or_else(|| broken("its directory ends early"))?;
    let extra = directory
        .get(at + 46 + name_length..at + 46 + name_length + extra_length)
        .ok_or_else(|| broken("its directory ends early"))?;
    zip64(extra, &mut [&mut size, &mut packed, &mut offset])?;
    let name = checked_name(raw)?;
    if flags & (1 | 1 << 6 | 1 << 13) != 0 {
        return Err(hostile(format!("\"{}\" is encrypted; save the archive without a password", shown(&name))));
    }
    // 3 is Unix and 19 is macOS; other systems leave their own bits there.
    let special = matches!(made_by, 3 | 19) && !matches!(mode & 0o170_000, 0 | 0o100_000 | 0o040_000);
    if special {
        return Err(hostile(format!("\"{}\" is a link or a device", shown(&name))));
    }
    if name.ends_with('/') && size > 0 {
        return Err(hostile(format!("the folder \"{}\" has bytes of its own", shown(&name))));
    }
    if !matches!(method, 0 | 8) {
        return Err(hostile(format!("\"{}\" uses compression method {method}; only deflate is read", shown(&name))));
    }
    if method == 0 && packed != size {
        return Err(broken(&format!("\"{}\" is stored with two sizes", shown(&name))));
    }
    let crc = u32::try_from(word(directory, at + 16)?).unwrap_or_default();
    let method = u16::try_from(method).unwrap_or_default();
    Ok((Entry { name, size, packed, method, offset, crc }, at + 46 + name_length + extra_length + comment_length))
}

/// Fills saturated fields, in their order, from the zip64 extra field.
fn zip64(extra: &[u8], fields: &mut [&mut u64]) -> Result<(), Failure> {
    let mut at = 0;
    while at + 4 <= extra.len() {
        let (id, length) = (short(extra, at)?, size_of(short(extra, at + 2)?));
        if id == 1 {
            let mut value = at + 4;
            for field in fields.iter_mut().filter(|field| ***field == 0xffff_ffff) {
                **field = long(extra, value)?;
                value += 8;
            }
            return Ok(());
        }
        at += 4 + length;
    }
    Ok(())
}

/// A name that stays within the archive; `\` counts as `/`.
fn checked_name(raw: &[u8]) -> Result<String, Failure> {
    let name = std::str::from_utf8(raw)
        .map_or_else(|_| raw.iter().map(|byte| super::windows_1252(*byte)).collect(), str::to_owned);
    let name = name.replace('\\', "/");
    let refuse = |why: &str| Err(hostile(format!("the entry name \"{}\" {why}", shown(&name))));
    if name.is_empty() || name.len() > 1024 {
        return refuse("is empty or too long");
    }
    if name.chars().any(char::is_control) {
        return refuse("has control characters");
    }
    if name.starts_with('/') || name.as_bytes().get(1) == Some(&b':') {
        return refuse("is absolute");
    }
    if name.split('/').any(|part| part == "..") {
        return refuse("climbs out of the archive");
    }
    if name.trim_end_matches('/').split('/').any(|part| part.is_empty() || part == ".") {
        return refuse("has an empty step");
    }
    Ok(name)
}

/// Entries must lie apart and before the directory.
fn overlaps(entries: &[Entry], directory: u64) -> Result<(), Failure> {
    let mut spans: Vec<(u64, u64)> = entries
        .iter()
        .map(|entry| (entry.offset, entry.offset.saturating_add(30).saturating_add(entry.packed)))
        .collect();
    spans.sort_unstable();
    let mut end = 0;
    for (from, to) in spans {
        if from < end {
            return Err(hostile("its entries overlap"));
        }
        end = to;
    }
    if end > directory { Err(broken("an entry lies inside the directory")) } else { Ok(()) }
}

/// A name for a message: bounded, and without characters that act on a terminal.
fn shown(name: &str) -> String {
    name.chars().take(80).map(|c| if c.is_control() || domain::text::invisible(c) { '\u{fffd}' } else { c }).collect()
}
