//! Sound to the picture that Whisper hears: a log-mel spectrogram of 30 seconds.

use candle_transformers::models::whisper::{Config, HOP_LENGTH, N_FFT, N_FRAMES, N_SAMPLES, SAMPLE_RATE, audio};

/// Weights of the frequencies in each band, as `librosa.filters.mel` makes them: bands of equal
/// width on Slaney's scale, each of equal area. <https://librosa.org/doc/latest/generated/librosa.filters.mel.html>
pub(super) fn filters(bands: usize) -> Vec<f32> {
    let bins = N_FFT / 2 + 1;
    let top = mel(SAMPLE_RATE as f64 / 2.0);
    let edges: Vec<f64> = (0..bands + 2).map(|at| hertz(top * at as f64 / (bands + 1) as f64)).collect();
    let mut filters = Vec::with_capacity(bands * bins);
    for edge in edges.windows(3) {
        let [low, middle, high] = edge else { continue };
        for bin in 0..bins {
            let frequency = bin as f64 * SAMPLE_RATE as f64 / N_FFT as f64;
            let (up, down) = ((frequency - low) / (middle - low), (high - frequency) / (high - middle));
            filters.push((up.min(down).max(0.0) * 2.0 / (high - low)) as f32);
        }
    }
    filters
}

/// Slaney's scale: linear below 1 kHz, logarithmic above.
fn mel(hertz: f64) -> f64 {
    if hertz < 1_000.0 { hertz * 3.0 / 200.0 } else { 15.0 + (hertz / 1_000.0).ln() * 27.0 / 6.4_f64.ln() }
}

fn hertz(mel: f64) -> f64 {
    if mel < 15.0 { mel * 200.0 / 3.0 } else { 1_000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp() }
}

/// The spectrogram of at most 30 seconds, in bands of [`N_FRAMES`] columns.
pub(super) fn spectrogram(config: &Config, filters: &[f32], samples: &[f32]) -> Vec<f32> {
    let samples = samples.get(..N_SAMPLES).unwrap_or(samples);
    // The model was trained on frames around their time; candle's begin there. Half a frame of
    // mirrored sound before the first moves them.
    let mut mirrored: Vec<f32> = samples.iter().skip(1).take(N_FFT / 2).rev().copied().collect();
    mirrored.resize(N_FFT / 2, 0.0);
    mirrored.extend_from_slice(samples);
    let long = audio::pcm_to_mel(config, &mirrored, filters);
    let columns = long.len() / config.num_mel_bins.max(1);
    let mut picture = Vec::with_capacity(config.num_mel_bins * N_FRAMES);
    for band in long.chunks_exact(columns.max(1)) {
        picture.extend(band.iter().take(N_FRAMES));
    }
    picture
}

/// Seconds of one column.
pub(super) const COLUMN: f64 = HOP_LENGTH as f64 / SAMPLE_RATE as f64;

#[cfg(test)]
mod tests {
    use super::filters;

    /// The first weights of OpenAI's own file of filters.
    #[test]
    fn filters_are_those_that_the_models_were_trained_with() {
        let filters = filters(80);
        let bins = 201;
        assert_eq!(filters.len(), 80 * bins);
        for (at, expected) in
            [(0, 0.0), (1, 0.024_862_595), (2, 0.0), (bins + 1, 0.001_990_822), (bins + 2, 0.022_871_774)]
        {
            assert!((filters[at] - expected).abs() < 1e-8, "{at}: {}", filters[at]);
        }
    }
}
