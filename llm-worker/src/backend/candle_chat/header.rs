//! Reads the header of a GGUF file with every length checked before it is believed.
//!
//! The file comes from outside (CVE-2026-7482: a crafted header read another process's heap), so
//! nothing is handed to candle before this reader has seen that all of it lies within the file.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

/// The most a header may take; the largest vocabularies need about 10 MiB.
const MAX_HEADER: u64 = 64 * 1024 * 1024;
/// The longest text: chat templates are the longest that are seen, at about 10 KiB.
const MAX_TEXT: u64 = 1024 * 1024;
const MAX_ENTRIES: u64 = 65_536;
/// Elements of one list; the largest vocabularies have 262,144 tokens and a few more merges.
const MAX_LIST: u64 = 4_000_000;
const MAX_DIMENSIONS: u32 = 4;

/// A value of the metadata.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Any whole number.
    Whole(i128),
    /// Any broken number.
    Real(f64),
    /// Yes or no.
    Flag(bool),
    /// A text.
    Text(String),
    /// Texts.
    Texts(Vec<String>),
    /// Whole numbers.
    Wholes(Vec<i128>),
    /// Broken numbers.
    Reals(Vec<f64>),
    /// A list that nothing here reads.
    Other,
}

/// Where a tensor lies and how it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Lengths, the innermost first, as GGUF writes them.
    pub dimensions: Vec<u64>,
    /// Bytes from the begin of the data.
    pub offset: u64,
    /// Bytes that it takes.
    pub size: u64,
}

/// A header that lies wholly within its file, and whose tensors do too.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// Settings of the model, by name.
    pub metadata: BTreeMap<String, Value>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Why a header is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a sound GGUF file: {0}")]
pub struct Refused(String);

fn refused<T>(why: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(why.into()))
}

impl Header {
    /// Reads the header of a file of `size` bytes from its begin.
    ///
    /// # Errors
    /// When anything in it is out of bounds, of an unknown type or said twice.
    pub fn read(file: &mut (impl Read + Seek), size: u64) -> Result<Self, Refused> {
        file.seek(SeekFrom::Start(0)).map_err(|error| Refused(error.to_string()))?;
        let mut bytes = Bounded { file: std::io::BufReader::new(file), at: 0, end: size.min(MAX_HEADER) };
        if bytes.array::<4>()? != *b"GGUF" {
            return refused("it does not begin with GGUF");
        }
        let version = bytes.u32()?;
        if !(2..=3).contains(&version) {
            return refused(format!("version {version} is unknown"));
        }
        let (tensor_count, entry_count) = (bytes.u64()?, bytes.u64()?);
        if tensor_count > MAX_ENTRIES || entry_count > MAX_ENTRIES {
            return refused("it claims too many entries");
        }
        let mut metadata = BTreeMap::new();
        for _ in 0..entry_count {
            let name = bytes.text()?;
            let kind = bytes.u32()?;
            let value = bytes.value(kind)?;
            if metadata.insert(name, value).is_some() {
                return refused("an entry is there twice");
            }
        }
        let mut tensors = BTreeMap::new();
        for _ in 0..tensor_count {
            let name = bytes.text()?;
            if tensors.insert(name, bytes.tensor()?).is_some() {
                return refused("a tensor is there twice");
            }
        }
        let header = Self { metadata, tensors };
        header.bounds(bytes.at, size)?;
        Ok(header)
    }

    fn bounds(&self, header_end: u64, size: u64) -> Result<(), Refused> {
        let alignment = match self.metadata.get("general.alignment") {
            None => 32,
            Some(Value::Whole(n)) => u64::try_from(*n).unwrap_or(0),
            Some(_) => 0,
        };
        if !alignment.is_power_of_two() || alignment > 4_096 {
            return refused("its alignment is not a power of two up to 4096");
        }
        let begin = header_end.next_multiple_of(alignment);
        for (name, tensor) in &self.tensors {
            let end = begin.checked_add(tensor.offset).and_then(|start| start.checked_add(tensor.size));
            if tensor.offset % alignment != 0 || end.is_none_or(|end| end > size) {
                return refused(format!("tensor \"{}\" lies outside of the file", short(name)));
            }
        }
        Ok(())
    }

    /// A whole number of the metadata that fits.
    #[must_use]
    pub fn whole<T: TryFrom<i128>>(&self, name: &str) -> Option<T> {
        match self.metadata.get(name) {
            Some(Value::Whole(n)) => T::try_from(*n).ok(),
            _ => None,
        }
    }

    /// A text of the metadata.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.metadata.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A flag of the metadata.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<bool> {
        match self.metadata.get(name) {
            Some(Value::Flag(flag)) => Some(*flag),
            _ => None,
        }
    }

    /// A list of texts of the metadata.
    #[must_use]
    pub fn texts(&self, name: &str) -> Option<&[String]> {
        match self.metadata.get(name) {
            Some(Value::Texts(texts)) => Some(texts),
            _ => None,
        }
    }
}

/// A name from a file, fit for a message.
fn short(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// Bytes per block and elements per block of the stored types that candle reads.
fn layout(kind: u32) -> Option<(u64, u64)> {
    Some(match kind {
        0 => (4, 1),
        1 | 30 => (2, 1),
        2 => (18, 32),
        3 => (20, 32),
        6 => (22, 32),
        7 => (24, 32),
        8 => (34, 32),
        9 => (36, 32),
        10 => (84, 256),
        11 => (110, 256),
        12 => (144, 256),
        13 => (176, 256),
        14 => (210, 256),
        15 => (292, 256),
        _ => return None,
    })
}

struct Bounded<R> {
    file: R,
    at: u64,
    end: u64,
}

impl<R: Read> Bounded<R> {
    /// Claims `count` bytes before anything is allocated for them.
    fn claim(&mut self, count: u64) -> Result<(), Refused> {
        match self.at.checked_add(count) {
            Some(at) if at <= self.end => {
                self.at = at;
                Ok(())
            }
            _ => refused("its header goes on past its end"),
        }
    }

    fn bytes(&mut self, count: u64) -> Result<Vec<u8>, Refused> {
        self.claim(count)?;
        let mut bytes = Vec::new();
        self.file.by_ref().take(count).read_to_end(&mut bytes).map_err(|error| Refused(error.to_string()))?;
        if bytes.len() as u64 == count { Ok(bytes) } else { refused("it ends in its header") }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        self.claim(N as u64)?;
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(|error| Refused(error.to_string()))?;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, Refused> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Refused> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Result<String, Refused> {
        let length = self.u64()?;
        if length > MAX_TEXT {
            return refused("a text is too long");
        }
        // A vocabulary may hold bytes that are no text; such a token is never met again.
        Ok(String::from_utf8_lossy(&self.bytes(length)?).into_owned())
    }

    fn value(&mut self, kind: u32) -> Result<Value, Refused> {
        match kind {
            8 => self.text().map(Value::Text),
            9 => self.list(),
            _ => self.number(kind),
        }
    }

    fn number(&mut self, kind: u32) -> Result<Value, Refused> {
        Ok(match kind {
            0 => Value::Whole(self.array().map(u8::from_le_bytes)?.into()),
            1 => Value::Whole(self.array().map(i8::from_le_bytes)?.into()),
            2 => Value::Whole(self.array().map(u16::from_le_bytes)?.into()),
            3 => Value::Whole(self.array().map(i16::from_le_bytes)?.into()),
            4 => Value::Whole(self.u32()?.into()),
            5 => Value::Whole(self.array().map(i32::from_le_bytes)?.into()),
            6 => Value::Real(self.array().map(f32::from_le_bytes)?.into()),
            7 => match self.array::<1>()? {
                [0] => Value::Flag(false),
                [1] => Value::Flag(true),
                _ => return refused("a flag is neither yes nor no"),
            },
            10 => Value::Whole(self.u64()?.into()),
            11 => Value::Whole(self.array().map(i64::from_le_bytes)?.into()),
            12 => Value::Real(self.array().map(f64::from_le_bytes)?),
            _ => return refused(format!("type {kind} is unknown")),
        })
    }

    /// A list of one type; lists of lists are refused, no model that is served here has them.
    fn list(&mut self) -> Result<Value, Refused> {
        let (kind, count) = (self.u32()?, self.u64()?);
        let least = match kind {
            8 => 8,
            0 | 1 | 7 => 1,
            2 | 3 => 2,
            4..=6 => 4,
            10..=12 => 8,
            _ => return refused(format!("a list of type {kind} is unknown")),
        };
        if count > MAX_LIST || count.saturating_mul(least) > self.end.saturating_sub(self.at) {
            return refused("a list is longer than its file");
        }
        if kind == 8 {
            return (0..count).map(|_| self.text()).collect::<Result<_, _>>().map(Value::Texts);
        }
        let numbers = (0..count).map(|_| self.number(kind)).collect::<Result<Vec<_>, _>>()?;
        let whole = |value: &Value| if let Value::Whole(n) = value { Some(*n) } else { None };
        let real = |value: &Value| if let Value::Real(x) = value { Some(*x) } else { None };
        Ok(if let Some(wholes) = numbers.iter().map(whole).collect() {
            Value::Wholes(wholes)
        } else {
            numbers.iter().map(real).collect::<Option<_>>().map_or(Value::Other, Value::Reals)
        })
    }

    fn tensor(&mut self) -> Result<Tensor, Refused> {
        let count = self.u32()?;
        if count > MAX_DIMENSIONS {
            return refused("a tensor has too many dimensions");
        }
        let dimensions = (0..count).map(|_| self.u64()).collect::<Result<Vec<_>, _>>()?;
        let (kind, offset) = (self.u32()?, self.u64()?);
        let Some((bytes, block)) = layout(kind) else {
            return refused(format!("tensors of type {kind} are not supported"));
        };
        let elements = dimensions.iter().try_fold(1_u64, |product, length| product.checked_mul(*length));
        // A row is made of whole blocks.
        let whole = dimensions.first().is_some_and(|row| *row > 0 && row % block == 0);
        match elements.and_then(|count| (count / block).checked_mul(bytes)) {
            Some(size) if whole && size > 0 => Ok(Tensor { dimensions, offset, size }),
            _ => refused("a tensor has an impossible shape"),
        }
    }
}
