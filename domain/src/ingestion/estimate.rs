//! How long the stages of a run take: from what earlier runs measured, else from stated assumptions.

use serde::{Deserialize, Serialize};

use super::Stage;

/// What a run has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Work {
    /// Bytes of documents and recordings.
    pub bytes: f64,
    /// Passages.
    pub chunks: f64,
    /// Passages that have no vector yet.
    pub embeds: f64,
}

impl Work {
    /// How much of it a stage sees, in the unit that its time grows with.
    #[must_use]
    pub fn units(&self, stage: Stage) -> f64 {
        match stage {
            Stage::Fetch | Stage::Chunk | Stage::Transcode => self.bytes,
            Stage::Embed => self.embeds,
            Stage::Publish | Stage::Index => self.chunks,
        }
    }
}

/// What is assumed where nothing was measured.
pub const ASSUMED: &str =
    "assumed: 20 MB/s read, 1 MB/s parsed, a passage in 900 bytes, 15 passages/s embedded, 2000 passages/s published";
/// Bytes of source for each passage, assumed.
const BYTES_PER_CHUNK: f64 = 900.0;
/// What a passage takes on the disk besides the source: rows, index terms and vectors of its sentences, in bytes.
const DISK_PER_CHUNK: f64 = 24_000.0;

/// Speeds of stages.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rates {
    /// Seconds and units of each stage, over the measured runs.
    measured: Vec<(Stage, f64, f64)>,
    bytes: f64,
    chunks: f64,
    /// Runs that were measured.
    pub runs: usize,
}

/// Seconds that are left or needed, and how that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// Seconds.
    pub seconds: f64,
    /// What it rests on.
    pub basis: String,
}

impl Rates {
    /// Adds an ended run: what it had to do, and the seconds of the stages that succeeded.
    pub fn add(&mut self, work: &Work, stages: impl IntoIterator<Item = (Stage, f64)>) {
        self.runs += 1;
        self.bytes += work.bytes;
        self.chunks += work.chunks;
        for (stage, seconds) in stages {
            let units = work.units(stage);
            if units <= 0.0 {
                continue;
            }
            if let Some(known) = self.measured.iter_mut().find(|(known, ..)| *known == stage) {
                known.1 += seconds;
                known.2 += units;
            } else {
                self.measured.push((stage, seconds, units));
            }
        }
    }

    /// Passages that so many bytes become.
    #[must_use]
    pub fn chunks(&self, bytes: f64) -> f64 {
        let each = if self.chunks > 0.0 { self.bytes / self.chunks } else { BYTES_PER_CHUNK };
        (bytes / each).ceil()
    }

    /// Bytes that a run takes on the disk: new blobs, and rows of its passages while the older version is still there.
    #[must_use]
    pub fn disk(&self, new_bytes: f64, chunks: f64) -> f64 {
        new_bytes + chunks * DISK_PER_CHUNK
    }

    /// Seconds of a stage, and whether they rest on a measurement.
    #[must_use]
    pub fn stage(&self, stage: Stage, work: &Work) -> (f64, bool) {
        let units = work.units(stage);
        if let Some((_, seconds, measured)) = self.measured.iter().find(|(known, ..)| *known == stage) {
            return (seconds / measured * units, true);
        }
        let per_second = match stage {
            Stage::Fetch => 20e6,
            Stage::Chunk => 1e6,
            Stage::Embed => 15.0,
            Stage::Publish | Stage::Index => 2_000.0,
            // Only runs with a recording have it, and no honest figure exists before the first.
            Stage::Transcode => return (0.0, false),
        };
        (units / per_second, false)
    }

    /// Seconds of these stages together.
    #[must_use]
    pub fn all(&self, stages: impl IntoIterator<Item = Stage>, work: &Work) -> Estimate {
        let (mut seconds, mut assumed) = (0.0, false);
        for stage in stages {
            let (some, measured) = self.stage(stage, work);
            seconds += some;
            assumed |= !measured && some > 0.0;
        }
        let basis =
            if assumed || self.runs == 0 { ASSUMED.into() } else { format!("measured over {} runs", self.runs) };
        Estimate { seconds, basis }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measured_speeds_replace_assumed_ones() {
        let work = Work { bytes: 9e6, chunks: 10_000.0, embeds: 1_000.0 };
        let mut rates = Rates::default();
        let assumed = rates.all([Stage::Chunk, Stage::Embed], &work);
        assert!((assumed.seconds - (9.0 + 1_000.0 / 15.0)).abs() < 1e-6, "{assumed:?}");
        assert_eq!(assumed.basis, ASSUMED);
        assert!((rates.chunks(9_000.0) - 10.0).abs() < 1e-9);
        rates.add(&Work { bytes: 1e6, chunks: 2_000.0, embeds: 2_000.0 }, [(Stage::Chunk, 0.5), (Stage::Embed, 20.0)]);
        let measured = rates.all([Stage::Chunk, Stage::Embed], &work);
        assert!((measured.seconds - (4.5 + 10.0)).abs() < 1e-6, "{measured:?}");
        assert_eq!(measured.basis, "measured over 1 runs");
        assert!((rates.chunks(9_000.0) - 18.0).abs() < 1e-9);
    }
}
