//! Hand-made archives: each is refused with its reason, quickly, and nothing is written.

use std::io::Cursor;
use std::time::{Duration, Instant};

use ingestion::parse::archive::{Archive, Limits};

use crate::testkit::zipped;

/// One entry, every field of which may lie.
#[derive(Clone)]
struct Raw {
    name: Vec<u8>,
    data: Vec<u8>,
    method: u16,
    flags: u16,
    made_by: u16,
    mode: u32,
    size: u32,
    packed: Option<u32>,
    offset: Option<u32>,
}

fn raw(name: &[u8]) -> Raw {
    Raw {
        name: name.to_vec(),
        data: b"hello".to_vec(),
        method: 0,
        flags: 0,
        made_by: 3,
        mode: 0o100_644,
        size: 5,
        packed: None,
        offset: None,
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

fn built(entries: &[Raw]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = entry.offset.unwrap_or_else(|| u32::try_from(bytes.len()).unwrap());
        let packed = entry.packed.unwrap_or_else(|| u32::try_from(entry.data.len()).unwrap());
        let plain = if entry.method == 8 { vec![0; entry.size as usize] } else { entry.data.clone() };
        let mut common = Vec::new();
        common.extend(20_u16.to_le_bytes());
        common.extend(entry.flags.to_le_bytes());
        common.extend(entry.method.to_le_bytes());
        common.extend([0; 4]);
        common.extend(crc(&plain).to_le_bytes());
        common.extend(packed.to_le_bytes());
        common.extend(entry.size.to_le_bytes());
        common.extend(u16::try_from(entry.name.len()).unwrap().to_le_bytes());
        common.extend([0; 2]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&common);
        bytes.extend(&entry.name);
        bytes.extend(&entry.data);
        directory.extend(b"PK\x01\x02");
        directory.push(20);
        directory.push(u8::try_from(entry.made_by).unwrap());
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend((entry.mode << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(&entry.name);
    }
    let start = u32::try_from(bytes.len()).unwrap();
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06");
    bytes.extend([0; 4]);
    let count = u16::try_from(entries.len().min(0xffff)).unwrap();
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0; 2]);
    bytes
}

fn deflated_zeros(size: usize) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![0; size]).unwrap();
    encoder.finish().unwrap()
}

/// Opens and reads everything, as the parser process does.
fn outcome(bytes: &[u8], limits: Limits) -> Result<usize, String> {
    let mut archive =
        Archive::open(Cursor::new(bytes), limits).map_err(|failure| format!("{} {failure}", failure.code))?;
    let mut size = 0;
    for entry in archive.entries().to_vec() {
        archive
            .read(&entry, &mut |part| size += part.len())
            .map_err(|failure| format!("{} {failure}", failure.code))?;
    }
    Ok(size)
}

#[test]
fn forty_hostile_archives_are_refused() {
    let zeros = deflated_zeros(2 << 20);
    let named = |name: &[u8]| built(&[raw(name)]);
    let with = |change: &dyn Fn(&mut Raw)| {
        let mut entry = raw(b"a.html");
        change(&mut entry);
        built(&[entry])
    };
    let good = built(&[raw(b"a.html"), raw(b"b.html")]);
    let bomb = |size: u32| Raw { method: 8, data: zeros.clone(), size, ..raw(b"bomb.html") };
    let mut far_directory = good.clone();
    let end = far_directory.len() - 22;
    far_directory[end + 16..end + 20].copy_from_slice(&0x00ff_ffff_u32.to_le_bytes());
    let mut volumes = good.clone();
    volumes[end + 4] = 2;
    let mut count = good.clone();
    count[end + 10] = 9;
    let mut flipped = good.clone();
    flipped[36] ^= 1;
    let mut local = good.clone();
    local[0] = b'X';
    let mut local_encrypted = good.clone();
    local_encrypted[6] = 1;
    let many: Vec<Raw> = (0..10_001).map(|n| raw(format!("f{n}").as_bytes())).collect();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("climbs", named(b"../evil.html"), "climbs"),
        ("climbs inside", named(b"a/../../evil.html"), "climbs"),
        ("climbs at the end", named(b"a/.."), "climbs"),
        ("climbs with backslashes", named(b"..\\evil.html"), "climbs"),
        ("climbs mixed", named(b"a\\..\\..\\evil.html"), "climbs"),
        ("absolute", named(b"/etc/passwd"), "absolute"),
        ("absolute with backslash", named(b"\\windows\\x"), "absolute"),
        ("unc", named(b"\\\\host\\share\\x"), "absolute"),
        ("drive", named(b"C:\\x.html"), "absolute"),
        ("drive relative", named(b"C:x.html"), "absolute"),
        ("nul", named(b"a.html\0.png"), "control"),
        ("line break", named(b"a\nb.html"), "control"),
        ("escape", named(b"a\x1b[2Jb.html"), "control"),
        ("empty name", named(b""), "empty"),
        ("long name", named(&[b'a'; 2000]), "too long"),
        ("empty step", named(b"a//b.html"), "empty step"),
        ("dot step", named(b"./a.html"), "empty step"),
        ("link", with(&|entry| entry.mode = 0o120_777), "link or a device"),
        ("character device", with(&|entry| entry.mode = 0o020_666), "link or a device"),
        ("block device", with(&|entry| entry.mode = 0o060_666), "link or a device"),
        ("pipe", with(&|entry| entry.mode = 0o010_666), "link or a device"),
        ("socket", with(&|entry| entry.mode = 0o140_666), "link or a device"),
        ("link of macOS", with(&|entry| (entry.made_by, entry.mode) = (19, 0o120_777)), "link or a device"),
        ("encrypted", with(&|entry| entry.flags = 1), "encrypted"),
        ("strongly encrypted", with(&|entry| entry.flags = 1 << 6), "encrypted"),
        ("hidden directory", with(&|entry| entry.flags = 1 << 13), "encrypted"),
        ("encrypted in its own header only", local_encrypted, "encrypted"),
        ("lzma", with(&|entry| entry.method = 14), "method 14"),
        ("two names", built(&[raw(b"a.html"), raw(b"a.html")]), "two entries"),
        (
            "two spellings of a name",
            built(&[raw("caf\u{e9}.html".as_bytes()), raw("cafe\u{301}.html".as_bytes())]),
            "two entries",
        ),
        ("overlap", built(&[raw(b"a.html"), Raw { offset: Some(0), ..raw(b"b.html") }]), "overlap"),
        ("declared too large", with(&|entry| (entry.method, entry.size) = (8, 600 << 20)), "larger than"),
        ("declared ratio", with(&|entry| (entry.method, entry.size) = (8, 100 << 20)), "100:1"),
        ("real ratio", built(&[bomb(2 << 20)]), "100:1"),
        ("more than declared", built(&[bomb(1000)]), "more than the 1000 bytes"),
        (
            "less than declared",
            with(&|entry| (entry.method, entry.size, entry.data) = (8, 900, deflated_zeros(100))),
            "checksum",
        ),
        ("changed byte", flipped, "checksum"),
        ("stored twice", with(&|entry| entry.size = 9), "two sizes"),
        ("ten thousand and one", built(&many), "10001 entries"),
        ("folder with bytes", named(b"folder/"), "bytes of its own"),
        ("directory outside", far_directory, "outside the file"),
        ("several volumes", volumes, "several volumes"),
        ("count too high", count, "ends early"),
        ("no local header", local, "header of"),
        ("cut off", good[..good.len() - 10].to_vec(), "no directory"),
        ("no zip", b"this is not a zip archive at all, really".to_vec(), "no directory"),
        ("empty", Vec::new(), "too short"),
    ];
    assert!(cases.len() >= 40);
    for (name, bytes, why) in &cases {
        let began = Instant::now();
        let refused = outcome(bytes, Limits::default()).expect_err(name);
        assert!(refused.contains(why), "{name}: {refused}");
        assert!(refused.starts_with("HOSTILE_ARCHIVE") || refused.starts_with("BROKEN_ARCHIVE"), "{name}: {refused}");
        assert!(began.elapsed() < Duration::from_secs(2), "{name} took {:?}", began.elapsed());
    }
    println!("{} hostile archives refused", cases.len());
}

#[test]
fn totals_and_time_are_counted_on_real_bytes() {
    let small = Limits { total: 8, ..Limits::default() };
    assert!(outcome(&built(&[raw(b"a"), raw(b"b")]), small).unwrap_err().contains("more than"));
    let late = Limits { time: Duration::ZERO, ..Limits::default() };
    assert!(outcome(&built(&[raw(b"a")]), late).unwrap_err().contains("too long"));
}

#[test]
fn plain_archives_are_read() {
    let bytes = zipped(&[("a.html", b"hello"), ("folder/b.html", &[b'x'; 100_000])]);
    assert_eq!(outcome(&bytes, Limits::default()), Ok(100_005));
    assert_eq!(outcome(&zipped(&[]), Limits::default()), Ok(0));
}

#[test]
fn random_damage_never_panics() {
    let good = zipped(&[("imsmanifest.xml", b"<manifest/>"), ("a.html", &[b'y'; 3000])]);
    let mut seed = 7_u64;
    let mut next = move || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap()
    };
    for _ in 0..10_000 {
        let mut bytes = good.clone();
        for _ in 0..=next() % 4 {
            let at = next() % bytes.len();
            bytes[at] = u8::try_from(next() % 256).unwrap();
        }
        if next() % 4 == 0 {
            bytes.truncate(next() % bytes.len());
        }
        let _ = outcome(&bytes, Limits { total: 1 << 20, entry: 1 << 20, ..Limits::default() });
    }
}
