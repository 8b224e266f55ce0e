//! The headers of a tar (POSIX ustar), as packs have them: plain files, no owner, no date.
//!
//! A reader expects each header byte by byte, so a pack has one spelling only.

/// Headers and contents begin at multiples of this.
pub(super) const BLOCK: u64 = 512;
/// Two empty blocks end a tar.
pub(super) const END: [u8; 1024] = [0; 1024];

/// The header of a file; names have at most 100 bytes, sizes less than 8 GiB.
pub(super) fn header(name: &str, size: u64) -> [u8; BLOCK as usize] {
    let mut block = [0; BLOCK as usize];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = block.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    put(0, name.as_bytes());
    put(100, b"0000644\x00");
    put(108, b"0000000\x00");
    put(116, b"0000000\x00");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\x00");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    if let Some(place) = block.get_mut(148..156) {
        place.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    block
}

/// The size that a header names.
pub(super) fn size(header: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(header.get(124..135)?).ok()?;
    u64::from_str_radix(digits, 8).ok()
}

/// Bytes between the end of a content and the next header.
pub(super) fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK) - size
}
