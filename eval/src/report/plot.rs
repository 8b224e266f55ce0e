//! Plots as inline SVG: bars with intervals, and two distributions over one axis.

use std::fmt::Write as _;

use crate::stats::Interval;

const COLOURS: [&str; 3] = ["#1b6e8c", "#b8860b", "#7a5195"];

/// Horizontal bars from 0 to 1 with their intervals as whiskers.
pub(super) fn bars(title: &str, rows: &[(String, Interval)]) -> String {
    let height = 30 * rows.len() + 30;
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 640 {height}\" width=\"640\"><title>{title}</title>"
    );
    for tick in 0..=4 {
        let x = 180.0 + 110.0 * f64::from(tick);
        let _ = write!(
            svg,
            "<line x1=\"{x}\" x2=\"{x}\" y1=\"4\" y2=\"{}\" stroke=\"#ddd\"/><text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{:.2}</text>",
            height - 22,
            height - 8,
            f64::from(tick) / 4.0
        );
    }
    let mut colour = COLOURS.iter().cycle();
    for (i, (name, interval)) in rows.iter().enumerate() {
        let (y, x) = (8 + 30 * i, |value: f64| 180.0 + 440.0 * value.clamp(0.0, 1.0));
        let _ = write!(
            svg,
            "<text x=\"172\" y=\"{}\" text-anchor=\"end\">{name}</text><rect x=\"180\" y=\"{y}\" width=\"{:.1}\" height=\"18\" fill=\"{}\"/>\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{}\" y2=\"{}\" stroke=\"#222\" stroke-width=\"2\"/><text x=\"{:.1}\" y=\"{}\" class=\"v\">{:.3}</text>",
            y + 14,
            x(interval.value) - 180.0,
            colour.next().unwrap_or(&"#1b6e8c"),
            x(interval.low),
            x(interval.high),
            y + 9,
            y + 9,
            184.0,
            y + 14,
            interval.value,
        );
    }
    svg.push_str("</svg>");
    svg
}

/// Histograms of values in 0 to 1, one above the other.
pub(super) fn histograms(title: &str, groups: &[(&str, Vec<f64>)]) -> String {
    const BINS: usize = 40;
    let height = 90 * groups.len() + 24;
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"{title}\" viewBox=\"0 0 640 {height}\" width=\"640\"><title>{title}</title>"
    );
    for (g, ((name, values), colour)) in groups.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let mut counts = [0_usize; BINS];
        for value in values {
            let bin = ((value.clamp(0.0, 1.0) * BINS as f64) as usize).min(BINS - 1);
            if let Some(count) = counts.get_mut(bin) {
                *count += 1;
            }
        }
        let (base, most) = (90 * g + 80, counts.iter().copied().max().unwrap_or(1).max(1));
        let _ = write!(svg, "<text x=\"4\" y=\"{}\">{name} ({})</text>", base - 60, values.len());
        for (bin, count) in counts.iter().enumerate() {
            let tall = 66.0 * *count as f64 / most as f64;
            let _ = write!(
                svg,
                "<rect x=\"{}\" y=\"{:.1}\" width=\"11\" height=\"{tall:.1}\" fill=\"{colour}\"/>",
                150 + 12 * bin,
                base as f64 - tall
            );
        }
        let _ = write!(svg, "<line x1=\"150\" x2=\"630\" y1=\"{base}\" y2=\"{base}\" stroke=\"#888\"/>");
    }
    let _ =
        write!(svg, "<text x=\"150\" y=\"{}\">0</text><text x=\"624\" y=\"{}\">1</text></svg>", height - 6, height - 6);
    svg
}
