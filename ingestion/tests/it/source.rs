//! One suite that every source passes, and what is particular to each.

use std::path::{Path, PathBuf};
use std::process::Command;

use domain::ingestion::{Failure, SourceKind};
use ingestion::source::{Fetched, Place, SOURCES, of};

use crate::testkit::{sandbox, zipped};

fn place(path: &Path) -> Place {
    Place {
        origin: path.display().to_string(),
        name: None,
        captions: None,
        local: true,
        rights: false,
        crawl: Default::default(),
    }
}

async fn fetch(kind: SourceKind, place: &Place) -> Result<Fetched, Failure> {
    let scratch = tempfile::tempdir().unwrap();
    of(kind).unwrap().fetch(place, &sandbox(), scratch.path()).await
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

fn git(folder: &Path, arguments: &[&str]) {
    let done = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.invalid",
            "-c",
            "init.defaultBranch=main",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

const MANIFEST: &str = "<manifest><metadata><schema>ADL SCORM</schema><schemaversion>1.2</schemaversion></metadata>
<organizations default=\"o\"><organization identifier=\"o\"><title>Harbour</title>
<item identifier=\"a\"><title>Unit one</title><item identifier=\"b\" identifierref=\"r1\"><title>Boats</title></item></item>
<item identifier=\"c\" identifierref=\"r2\"><title>Many</title></item><item identifier=\"d\" identifierref=\"gone\"><title>Lost</title></item></organization></organizations>
<resources><resource identifier=\"r1\" href=\"boats.html\"><file href=\"boats.html\"/></resource>
<resource identifier=\"r2\" href=\"menu.html\"><file href=\"menu.html\"/><file href=\"a.html\"/><file href=\"z.html\"/></resource></resources></manifest>";

pub(crate) const CARTRIDGE: &[(&str, &str)] = &[
    ("imsmanifest.xml", "<manifest xmlns=\"http://www.imsglobal.org/xsd/imsccv1p1/imscp_v1p1\"><metadata><schema>IMS Common Cartridge</schema><schemaversion>1.1.0</schemaversion><lom><general><title><string>Harbour</string></title></general></lom></metadata>
<organizations><organization><item><item identifier=\"m\"><title>Week 1</title><item identifierref=\"p\"><title>Boats</title></item><item identifierref=\"l\"><title>Link</title></item><item identifierref=\"t\"><title>Talk</title></item><item identifierref=\"x\"><title>Tool</title></item><item identifierref=\"q\"><title>Quiz</title></item><item identifierref=\"gone\"><title>Gone</title></item></item></item></organization></organizations>
<resources><resource identifier=\"p\" type=\"webcontent\" href=\"boats.html\"><file href=\"boats.html\"/></resource><resource identifier=\"l\" type=\"imswl_xmlv1p1\"><file href=\"link.xml\"/></resource><resource identifier=\"t\" type=\"imsdt_xmlv1p1\"><file href=\"talk.xml\"/></resource><resource identifier=\"x\" type=\"imsbasiclti_xmlv1p0\"><file href=\"lti.xml\"/></resource><resource identifier=\"q\" type=\"imsqti_xmlv1p2/imscc_xmlv1p1/assessment\"><file href=\"quiz.xml\"/></resource><resource identifier=\"h\" type=\"webcontent\" href=\"draft.html\"><file href=\"draft.html\"/></resource></resources></manifest>"),
    ("boats.html", "<h1>Boats</h1><p>A boat floats.</p>"),
    ("link.xml", "<webLink><title>Harbour office</title><url href=\"https://example.org/a?b=1&amp;c=2\"/></webLink>"),
    ("talk.xml", "<topic><title>Your boat</title><text texttype=\"text/html\">&lt;p&gt;Tell us of your boat.&lt;/p&gt;</text></topic>"),
    ("lti.xml", "<cartridge_basiclti_link/>"),
    ("quiz.xml", QUIZ),
    ("draft.html", "<html><head><meta name=\"workflow_state\" content=\"unpublished\"/></head><body><p>Not yet.</p></body></html>"),
];

const QUIZ: &str = "<questestinterop><assessment title=\"Knots\"><section><item ident=\"i\" title=\"One\"><presentation><material><mattext>Which knot makes a loop?</mattext></material><response_lid ident=\"r\" rcardinality=\"Single\"><render_choice><response_label ident=\"a\"><material><mattext>Bowline</mattext></material></response_label><response_label ident=\"b\"><material><mattext>Reef knot</mattext></material></response_label></render_choice></response_lid></presentation><resprocessing><respcondition><conditionvar><varequal respident=\"r\">a</varequal></conditionvar><setvar action=\"Set\">100</setvar></respcondition></resprocessing></item><item ident=\"u\" title=\"Secret words\"><itemmetadata><qtimetadata><qtimetadatafield><fieldlabel>question_type</fieldlabel><fieldentry>file_upload_question</fieldentry></qtimetadatafield></qtimetadata></itemmetadata><presentation/></item></section></assessment></questestinterop>";

const CMI5: &str = "<courseStructure xmlns=\"https://w3id.org/xapi/profiles/cmi5/v1/CourseStructure.xsd\"><course id=\"https://example.org/c\"><title><langstring>Harbour</langstring></title><description><langstring>All of it</langstring></description></course><au id=\"https://example.org/c/1\"><title><langstring>Boats</langstring></title><description><langstring>Floating</langstring></description><url>one.html</url></au><block id=\"https://example.org/b\"><title><langstring>Knots</langstring></title><description><langstring>Tied</langstring></description><au id=\"https://example.org/c/2\" moveOn=\"Passed\"><title><langstring>Bowline</langstring></title><description><langstring>A loop</langstring></description><url>https://example.org/bowline</url></au></block></courseStructure>";

/// A working example of each kind.
pub(crate) fn example(kind: SourceKind, folder: &Path) -> PathBuf {
    match kind {
        SourceKind::Dir => {
            write(folder, "d/01.md", "# One\n\nText.\n");
            folder.join("d")
        }
        SourceKind::Git => {
            let repository = folder.join("g");
            write(&repository, "01.md", "# One\n\nText.\n");
            git(&repository, &["init", "-q"]);
            git(&repository, &["add", "."]);
            git(&repository, &["commit", "-qm", "x"]);
            repository
        }
        SourceKind::Scorm => {
            let page = |title: &str| format!("<h1>{title}</h1><p>Words that fill this page with text.</p>");
            let menu = "<script>var pages=['z.html','a.html'];LMSInitialize('')</script>";
            let files = [
                ("imsmanifest.xml", MANIFEST.to_owned()),
                ("boats.html", page("Boats")),
                ("menu.html", menu.into()),
                ("a.html", page("A page")),
                ("z.html", page("Z page")),
                ("questions.js", "test.AddQuestion(new Question('x'))".into()),
            ];
            let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
            write(folder, "s.zip", zipped(&files))
        }
        SourceKind::Cartridge => {
            let files: Vec<(&str, &[u8])> = CARTRIDGE.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
            write(folder, "c.imscc", zipped(&files))
        }
        SourceKind::Qti => write(folder, "q.xml", QUIZ),
        SourceKind::H5p => {
            let library = r#"{"title":"T","machineName":"H5P.T","majorVersion":1,"minorVersion":0,"patchVersion":1,"runnable":1}"#;
            let about = r#"{"title":"Boats","language":"en","mainLibrary":"H5P.T","embedTypes":["div"],"preloadedDependencies":[{"machineName":"H5P.T","majorVersion":1,"minorVersion":0}]}"#;
            let content =
                r#"{"text":"<p>A boat floats.</p>","check":"Check it","image":{"path":"a.png","mime":"image/png"}}"#;
            let semantics = r#"[{"name":"check","type":"text","common":true}]"#;
            let files: [(&str, &[u8]); 5] = [
                ("h5p.json", about.as_bytes()),
                ("content/content.json", content.as_bytes()),
                ("content/a.png", b"\x89PNG\r\n"),
                ("H5P.T-1.0/library.json", library.as_bytes()),
                ("H5P.T-1.0/semantics.json", semantics.as_bytes()),
            ];
            write(folder, "h.h5p", zipped(&files))
        }
        SourceKind::Cmi5 => {
            let files: [(&str, &[u8]); 2] =
                [("cmi5.xml", CMI5.as_bytes()), ("one.html", b"<h1>Boats</h1><p>A boat is a thing that floats.</p>")];
            write(folder, "m.zip", zipped(&files))
        }
        SourceKind::File => write(folder, "f.md", "# One\n\nText.\n"),
        SourceKind::Video => {
            write(folder, "v.vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nHello.\n");
            write(folder, "v.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom")
        }
        SourceKind::Youtube | SourceKind::VideoPage | SourceKind::Web => {
            unreachable!("addresses have a suite of their own")
        }
    }
}

/// Sources that are read from files of this machine; `youtube.rs` has the others.
fn of_files(kind: SourceKind) -> bool {
    !matches!(kind, SourceKind::Youtube | SourceKind::VideoPage | SourceKind::Web)
}

#[tokio::test]
async fn every_source_lists_documents_and_lessons_that_belong_together() {
    for source in SOURCES.iter().filter(|source| of_files(source.kind())) {
        let kind = source.kind();
        let folder = tempfile::tempdir().unwrap();
        let path = example(kind, folder.path());
        let fetched = fetch(kind, &place(&path)).await.unwrap_or_else(|failure| panic!("{kind:?}: {failure}"));
        assert!(!fetched.documents.is_empty(), "{kind:?}");
        let lessons: Vec<&str> = fetched
            .outline
            .modules
            .iter()
            .flat_map(|module| &module.lessons)
            .map(|lesson| lesson.path.as_str())
            .collect();
        let documents: Vec<&str> = fetched.documents.iter().map(|document| document.path.as_str()).collect();
        assert_eq!(lessons, documents, "{kind:?}");
        let again = fetch(kind, &place(&path)).await.unwrap();
        assert_eq!(fetched.fingerprint(), again.fingerprint(), "{kind:?}: equal content has an equal fingerprint");
        let before: Vec<_> = walk(folder.path());
        assert!(!before.iter().any(|path| path.contains("scratch")), "{kind:?}");
    }
}

#[tokio::test]
async fn every_source_types_its_failures() {
    for source in SOURCES.iter().filter(|source| of_files(source.kind())) {
        let kind = source.kind();
        let gone = fetch(kind, &place(Path::new("/nowhere/at/all"))).await.unwrap_err();
        assert_eq!(gone.code, "NOT_FOUND", "{kind:?}: {gone}");
        let folder = tempfile::tempdir().unwrap();
        let remote = Place { local: false, ..place(&example(kind, folder.path())) };
        let refused = fetch(kind, &remote).await.unwrap_err();
        assert_eq!(refused.code, "UNREADABLE", "{kind:?}: a path is not read for the interface: {refused}");
    }
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(walk(&path));
        }
        found.push(path.display().to_string());
    }
    found
}

#[tokio::test]
async fn a_folder_is_read_by_number_without_links_hidden_files_or_its_own_repository() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("outer/course");
    let secret = write(folder.path(), "secret.md", "# Secret\n");
    for (name, text) in [
        ("10-last/a.md", "# Ten\n"),
        ("2-middle/b.md", "# Two b\n"),
        ("2-middle/README.md", "# The middle\n\nAbout.\n"),
        ("README.md", "# Start\n"),
        (".git/x.md", "# No\n"),
        (".hidden/x.md", "# No\n"),
        ("node_modules/x.md", "# No\n"),
        ("2-middle/notes.bin", "x"),
    ] {
        write(&root, name, text);
    }
    std::os::unix::fs::symlink(&secret, root.join("linked.md")).unwrap();
    std::os::unix::fs::symlink(folder.path(), root.join("linked")).unwrap();
    write(folder.path(), "outer/.git/HEAD", "ref: refs/heads/main");
    let fetched = fetch(SourceKind::Dir, &place(&root)).await.unwrap();
    let tree: Vec<(Option<&str>, Vec<&str>)> = fetched
        .outline
        .modules
        .iter()
        .map(|module| (module.title.as_deref(), module.lessons.iter().map(|lesson| lesson.path.as_str()).collect()))
        .collect();
    assert_eq!(
        tree,
        [
            (None, vec!["README.md"]),
            (Some("The middle"), vec!["2-middle/README.md", "2-middle/b.md"]),
            (Some("Last"), vec!["10-last/a.md"]),
        ]
    );
    assert_eq!(fetched.commit, None);
}

#[tokio::test]
async fn a_repository_and_its_bundle_are_read_at_their_commit_without_a_checkout() {
    let folder = tempfile::tempdir().unwrap();
    let repository = folder.path().join("r");
    write(&repository, "src/SUMMARY.md", "- [One](one.md)\n");
    write(&repository, "src/one.md", "# One\n\n```\n{{#include ../code/a.rs}}\n```\n");
    write(&repository, "code/a.rs", "fn a() {}\n");
    std::os::unix::fs::symlink("/etc/passwd", repository.join("src/link.md")).unwrap();
    git(&repository, &["init", "-q"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "-qm", "first"]);
    write(&repository, "src/one.md", "# Not committed\n");
    git(&repository, &["bundle", "create", "-q", "../r.bundle", "--all"]);
    // A hook and a filter that would leave a mark.
    let mark = folder.path().join("mark");
    let hook = write(&repository, ".git/hooks/post-checkout", format!("#!/bin/sh\ntouch {}\n", mark.display()));
    std::fs::set_permissions(hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    git(&repository, &["config", "core.fsmonitor", &format!("touch {}", mark.display())]);
    for path in [repository.clone(), folder.path().join("r.bundle")] {
        let fetched = fetch(SourceKind::Git, &place(&path)).await.unwrap();
        assert_eq!(fetched.commit.as_ref().map(String::len), Some(40));
        let document = &fetched.documents[0];
        assert_eq!((document.path.as_str(), fetched.documents.len()), ("src/one.md", 1));
        assert_eq!(document.includes.keys().collect::<Vec<_>>(), ["code/a.rs"]);
        let ingestion::source::Bytes::Memory(bytes) = &document.bytes else { panic!("in memory") };
        assert!(String::from_utf8_lossy(bytes).starts_with("# One"));
    }
    assert!(!mark.exists(), "a hook or monitor was run");
}

#[tokio::test]
async fn strange_addresses_run_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let touch = format!("touch {}", mark.display());
    let addresses = [
        format!("ext::sh -c \"{touch}\""),
        format!("ext::sh -c {}", touch.replace(' ', "%20")),
        "file:///etc".into(),
        format!("file://{}", folder.path().display()),
        "ssh://host/x".into(),
        "ssh://-oProxyCommand=touch/x".into(),
        "git://host/x".into(),
        "http://host/x".into(),
        "ftp://host/x".into(),
        "fd::17/x".into(),
        "https://user:secret@host/x".into(),
        "https://user@host/x".into(),
        "https://host/x?a=b".into(),
        "https://host/x#y".into(),
        "https://host/".into(),
        "https://host/--upload-pack=x".into(),
        "https://host/a/-b".into(),
        "https://host/a/.git/../b;c".into(),
        "https://host/a b".into(),
        "https://host/$(touch)".into(),
        "https://127.0.0.1/x".into(),
        "https://[::1]/x".into(),
        "https://0x7f000001/x".into(),
        "data::x".into(),
        "transport::https://host/x".into(),
    ];
    assert_eq!(addresses.len(), 25);
    for address in &addresses {
        let place = Place {
            origin: address.clone(),
            name: None,
            captions: None,
            local: true,
            rights: false,
            crawl: Default::default(),
        };
        let failure = fetch(SourceKind::Git, &place).await.unwrap_err();
        assert_eq!(failure.code, "GIT_FAILED", "{address}: {failure}");
    }
    let named = folder.path().join("--upload-pack=touch mark");
    std::fs::create_dir_all(named.join(".git")).unwrap();
    assert!(fetch(SourceKind::Git, &place(&named)).await.is_err());
    assert!(!mark.exists() && !Path::new("mark").exists());
}

#[tokio::test]
async fn a_package_becomes_modules_lessons_and_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let fetched = fetch(SourceKind::Scorm, &place(&example(SourceKind::Scorm, folder.path()))).await.unwrap();
    let tree: Vec<(Option<&str>, Vec<&str>)> = fetched
        .outline
        .modules
        .iter()
        .map(|module| (module.title.as_deref(), module.lessons.iter().map(|lesson| lesson.path.as_str()).collect()))
        .collect();
    assert_eq!(tree, [(Some("Unit one"), vec!["boats.html"]), (Some("Many"), vec!["z.html", "a.html"])]);
    assert_eq!(fetched.outline.failures.len(), 1);
    let codes: Vec<&str> = fetched.warnings.iter().map(|warning| warning.code.as_str()).collect();
    assert_eq!(codes, ["DROPPED_ACTIVITY"]);
    let report = fetched.outline.import.unwrap();
    assert_eq!((report["coveragePercent"].as_i64(), report["reportsCompletion"].as_bool()), (Some(75), Some(true)));
    assert_eq!(
        (
            report["kept"].as_array().unwrap().len(),
            report["changed"].as_array().unwrap().len(),
            report["lost"].as_array().unwrap().len()
        ),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_recording_is_known_by_its_bytes_and_finds_its_captions() {
    let folder = tempfile::tempdir().unwrap();
    let mut mp4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom".to_vec();
    // moov with an mvhd of version 0: 1,000 units a second, 61,500 units.
    let mut mvhd = vec![0; 4];
    mvhd.extend([0; 8]);
    mvhd.extend(1000_u32.to_be_bytes());
    mvhd.extend(61_500_u32.to_be_bytes());
    mvhd.extend([0; 80]);
    let atom = |name: &[u8], content: &[u8]| {
        [&u32::try_from(content.len() + 8).unwrap().to_be_bytes()[..], name, content].concat()
    };
    mp4.extend(atom(b"moov", &atom(b"mvhd", &mvhd)));
    let video = write(folder.path(), "talk.mp4", &mp4);
    assert_eq!(fetch(SourceKind::Video, &place(&video)).await.unwrap_err().code, "NO_CAPTIONS");
    write(folder.path(), "talk.en.srt", "1\n00:00:01,000 --> 00:00:02,000\nHello.\n");
    let fetched = fetch(SourceKind::Video, &place(&video)).await.unwrap();
    let document = &fetched.documents[0];
    assert_eq!((document.path.as_str(), document.extra["captionsName"].as_str()), ("talk.mp4", Some("talk.en.srt")));
    assert_eq!(document.media.as_ref().map(|media| media.media_type), Some("video/mp4"));
    assert_eq!(fetched.outline.modules[0].lessons[0].kind, "VIDEO");
    let gone = Place { captions: Some("/nowhere.vtt".into()), ..place(&video) };
    assert_eq!(fetch(SourceKind::Video, &gone).await.unwrap_err().code, "NOT_FOUND");
}

/// Titles of modules with the paths of their lessons.
fn tree(fetched: &Fetched) -> Vec<(Option<&str>, Vec<&str>)> {
    let lessons = |module: &'_ ingestion::source::Module| module.lessons.len();
    assert!(fetched.outline.modules.iter().all(|module| lessons(module) > 0));
    fetched
        .outline
        .modules
        .iter()
        .map(|module| (module.title.as_deref(), module.lessons.iter().map(|lesson| lesson.path.as_str()).collect()))
        .collect()
}

#[tokio::test]
async fn a_table_of_contents_of_another_generator_gives_the_modules() {
    let folder = tempfile::tempdir().unwrap();
    for (name, files) in [
        (
            "mkdocs",
            vec![("mkdocs.yml", "nav:\n  - index.md\n  - Guide:\n    - guide/boats.md\n    - Sails: guide/sails.md\n")],
        ),
        (
            "quarto",
            vec![(
                "_quarto.yml",
                "book:\n  chapters:\n    - docs/index.md\n    - part: Guide\n      chapters: [docs/guide/boats.md, docs/guide/sails.md]\n",
            )],
        ),
        (
            "jupyter",
            vec![(
                "docs/_toc.yml",
                "root: index\nparts:\n  - caption: Guide\n    chapters:\n      - file: guide/boats\n      - file: guide/sails\n",
            )],
        ),
        (
            "docusaurus",
            vec![(
                "sidebars.js",
                "module.exports = {docs: ['index', {type: 'category', label: 'Guide', items: ['guide/boats', 'guide/sails']}]};",
            )],
        ),
    ] {
        let root = folder.path().join(name);
        for (path, text) in files {
            write(&root, path, text);
        }
        for (path, title) in
            [("index", "Start"), ("guide/sails", "Sails"), ("guide/boats", "Boats"), ("spare", "Spare")]
        {
            write(&root, &format!("docs/{path}.md"), format!("# {title}\n\nWords.\n"));
        }
        let fetched = fetch(SourceKind::Dir, &place(&root)).await.unwrap();
        assert_eq!(
            tree(&fetched),
            [
                (Some("Introduction"), vec!["docs/index.md"]),
                (Some("Guide"), vec!["docs/guide/boats.md", "docs/guide/sails.md"])
            ],
            "{name}"
        );
        let codes: Vec<&str> = fetched.warnings.iter().map(|warning| warning.code.as_str()).collect();
        assert_eq!(codes, ["UNLISTED_FILES"], "{name}");
    }
    // Folders with a label, a position, and pages in the order of their front matter.
    let root = folder.path().join("categories");
    write(&root, "docs/a-last/_category_.json", r#"{"label": "The end", "position": 2}"#);
    write(&root, "docs/a-last/x.md", "# X\n\nWords.\n");
    write(&root, "docs/z-first/_category_.json", r#"{"label": "The start", "position": 1}"#);
    write(&root, "docs/z-first/a.md", "---\nsidebar_position: 2\n---\n# A\n\nWords.\n");
    write(&root, "docs/z-first/b.md", "---\nsidebar_position: 1\n---\n# B\n\nWords.\n");
    let fetched = fetch(SourceKind::Dir, &place(&root)).await.unwrap();
    assert_eq!(
        tree(&fetched),
        [
            (Some("The start"), vec!["docs/z-first/b.md", "docs/z-first/a.md"]),
            (Some("The end"), vec!["docs/a-last/x.md"]),
        ]
    );
}

#[tokio::test]
async fn code_of_a_repository_is_read_and_that_of_others_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("r");
    for (path, text) in [
        ("README.md", "# Boats\n\nWords.\n"),
        ("src/boat.rs", "/// A boat.\npub struct Boat;\n"),
        ("src/notes.md", "# Notes\n\nWords.\n"),
        ("vendor/other.rs", "fn other() {}\n"),
        ("src/data.bin", "x"),
    ] {
        write(&root, path, text);
    }
    write(&root, "src/large.rs", format!("fn f() {{}}\n{}", "// word\n".repeat(40_000)));
    git(&root, &["init", "-q"]);
    git(&root, &["add", "."]);
    git(&root, &["commit", "-qm", "x"]);
    let fetched = fetch(SourceKind::Git, &place(&root)).await.unwrap();
    let paths: Vec<&str> = fetched.documents.iter().map(|document| document.path.as_str()).collect();
    assert_eq!(paths, ["README.md", "src/boat.rs", "src/notes.md"]);
    let plain = fetch(SourceKind::Dir, &place(&root)).await.unwrap();
    assert_eq!(plain.documents.len(), 2, "a folder is read for its documents");
}
