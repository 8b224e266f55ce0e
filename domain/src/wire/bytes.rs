//! Numbers and bytes as they travel in a JSON frame.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Vectors; on the wire each is the hexadecimal text of its little-endian floats, so that no bit
/// is lost and no number is parsed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Vectors(pub Vec<Vec<f32>>);

impl Serialize for Vectors {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(
            self.0.iter().map(|vector| hex::encode(vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())),
        )
    }
}

impl<'de> Deserialize<'de> for Vectors {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows: Vec<String> = Vec::deserialize(deserializer)?;
        rows.iter()
            .map(|row| {
                let bytes = hex::decode(row).map_err(serde::de::Error::custom)?;
                let (floats, rest) = bytes.as_chunks::<4>();
                if rest.is_empty() {
                    Ok(floats.iter().map(|four| f32::from_le_bytes(*four)).collect())
                } else {
                    Err(serde::de::Error::custom("a vector is not a whole number of floats"))
                }
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Bytes that are nearly always text: on the wire `t` and the text, or `x` and hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Blob(pub Bytes);

impl std::fmt::Debug for Blob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Blob({} bytes)", self.0.len())
    }
}

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.collect_str(&format_args!("t{text}")),
            Err(_) => serializer.collect_str(&format_args!("x{}", hex::encode(&self.0))),
        }
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = match text.split_at_checked(1) {
            Some(("t", rest)) => rest.as_bytes().to_vec(),
            Some(("x", digits)) => hex::decode(digits).map_err(serde::de::Error::custom)?,
            _ => return Err(serde::de::Error::custom("bytes begin with t or x")),
        };
        Ok(Self(bytes.into()))
    }
}
