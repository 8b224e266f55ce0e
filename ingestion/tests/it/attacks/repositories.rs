//! Repositories: options as names, programs in configuration, links, submodules, and what is too large.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use domain::ingestion::{Crawl, SourceKind};
use ingestion::source::{Place, github_address, of};

use super::{Victim, fetch, soon, told};
use crate::testkit::sandbox;

fn git(folder: &Path, arguments: &[&str]) -> String {
    let done = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@example.invalid",
            "-c",
            "commit.gpgsign=false",
            "-c",
            "core.protectNTFS=false",
            "-c",
            "core.protectHFS=false",
        ])
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

/// A repository with one good page.
fn repository(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(&path).unwrap();
    git(&path, &["init", "-q", "-b", "main"]);
    std::fs::write(path.join("good.md"), "# Good\n\nWords of a good page.\n").unwrap();
    git(&path, &["add", "."]);
    path
}

#[tokio::test]
async fn names_that_are_options_or_addresses_elsewhere_are_refused() {
    let victim = Victim::new();
    let port = victim.listener.local_addr().unwrap().port();
    let references = [
        "--upload-pack=touch",
        "-x",
        "-",
        "",
        ".",
        "..",
        "../x",
        "a..b",
        "a b",
        "a\tb",
        "$(touch)",
        "`touch`",
        "a;b",
        "a|b",
        "a\nb",
        "a.lock",
        "a.",
        ".a",
        "a/.b",
        "a//b",
        "/a",
        "a/",
        "a~1",
        "a^",
        "a:b",
        "a?b",
        "a*b",
        "a[b",
        "a\\b",
        "a@{1}",
        "@",
        "%2e%2e",
    ];
    let mut addresses: Vec<String> =
        references.iter().map(|reference| format!("https://example.invalid/a/b@{reference}")).collect();
    addresses.extend([
        format!("http://127.0.0.1:{port}/a"),
        format!("https://127.0.0.1:{port}/a"),
        format!("https://[::1]:{port}/a"),
        format!("https://[::ffff:127.0.0.1]:{port}/a"),
        format!("https://2130706433:{port}/a"),
        format!("https://0177.0.0.1:{port}/a"),
        format!("https://0x7f.1:{port}/a"),
        format!("https://0.0.0.0:{port}/a"),
        format!("git://127.0.0.1:{port}/a"),
        format!("ssh://127.0.0.1:{port}/a"),
        format!("ftp://127.0.0.1:{port}/a"),
        "https:/a".into(),
        "https://".into(),
        "https://a".into(),
        "https://a/../b;c".into(),
        "https://-a/b c".into(),
        "ext::sh -c touch% x".into(),
        "ext::https://a/b".into(),
        "https::https://a/b".into(),
        "file:///etc".into(),
        "FILE:///etc".into(),
        "https://user:pass@a/b".into(),
        "https://user@a/b".into(),
    ]);
    for address in &addresses {
        let scratch = tempfile::tempdir().unwrap();
        let crawl = Crawl::default();
        let place = Place { origin: address.clone(), name: None, captions: None, local: true, rights: false, crawl };
        let began = Instant::now();
        let failure = of(SourceKind::Git).unwrap().fetch(&place, &sandbox(), scratch.path()).await.unwrap_err();
        assert!(["GIT_FAILED", "NOT_FOUND"].contains(&failure.code.as_str()), "{address}: {} {failure}", failure.code);
        soon(address, began, 2);
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "{address}: something was started");
        victim.unharmed(address, &failure.message);
    }
    for text in [
        "a",
        "a/b/c",
        "-a/b",
        "a/-b",
        "a/.b",
        "../b",
        "a/b@",
        "a/b@-x",
        "a/b@a..b",
        "a_b/c",
        "a b/c",
        "/a/b",
        "a/",
        "https://a/b",
        "a/b;c",
        "ü/b",
        "a/b@$(x)",
    ] {
        assert_eq!(github_address(text), None, "{text}");
    }
    assert_eq!(github_address("rust-lang/book").as_deref(), Some("https://github.com/rust-lang/book"));
    assert_eq!(github_address("a/b.c_d@v1.0/x").as_deref(), Some("https://github.com/a/b.c_d@v1.0/x"));
    println!("git addresses: {} refused, nothing started", addresses.len());
}

#[tokio::test]
async fn what_a_repository_brings_is_never_run_followed_or_checked_out() {
    let victim = Victim::new();
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("mark");
    let touch = format!("touch {}", mark.display());
    let mut made: Vec<(&str, PathBuf)> = Vec::new();
    let mut add = |name: &'static str, change: &dyn Fn(&Path)| {
        let path = repository(folder.path(), &name.replace(' ', "-"));
        change(&path);
        git(&path, &["add", "-A", "-f"]);
        git(&path, &["commit", "-qm", "x"]);
        made.push((name, path));
    };
    let secret = victim.file();
    add("links out", &|path| {
        std::os::unix::fs::symlink(&secret, path.join("link.md")).unwrap();
        std::os::unix::fs::symlink("/", path.join("root")).unwrap();
    });
    add("include out", &|path| {
        let text = format!(
            "# Include\n\n```\n{{{{#include {secret}}}}}\n{{{{#include ../../../../../..{secret}}}}}\n{{{{#include ../secret.txt}}}}\n```\n"
        );
        std::fs::write(path.join("include.md"), text).unwrap();
    });
    add("filters", &|path| {
        std::fs::write(path.join(".gitattributes"), "*.md filter=evil diff=evil merge=evil\n").unwrap();
    });
    add("an external file", &|path| {
        std::fs::write(path.join("lfs.md"), "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
            .unwrap();
        std::fs::write(path.join(".gitattributes"), "*.md filter=lfs\n").unwrap();
    });
    add("modules", &|path| {
        let modules = format!(
            "[submodule \"x\"]\n\tpath = sub\n\turl = ext::sh -c {touch}\n\tupdate = !{touch}\n[submodule \"../../x\"]\n\tpath = b\n\turl = -u./x\n"
        );
        std::fs::write(path.join(".gitmodules"), modules).unwrap();
        git(path, &["commit", "-qm", "first"]);
        let head = git(path, &["rev-parse", "HEAD"]);
        std::fs::create_dir(path.join("sub")).unwrap();
        git(path, &["update-index", "--add", "--cacheinfo", &format!("160000,{head},sub")]);
    });
    add("hooks", &|path| {
        for hook in [
            "post-checkout",
            "pre-receive",
            "post-merge",
            "reference-transaction",
            "post-index-change",
            "fsmonitor-watchman",
        ] {
            let file = path.join(".git/hooks").join(hook);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, format!("#!/bin/sh\n{touch}\n")).unwrap();
            // Made executable below, once our own commits are done.
        }
    });
    add("a huge page", &|path| std::fs::write(path.join("huge.md"), "word ".repeat(2 << 20)).unwrap());
    add("many pages", &|path| {
        for number in 0..3_000 {
            std::fs::write(path.join(format!("{number}.md")), format!("# {number}\n\nWords.\n")).unwrap();
        }
    });
    add("strange names", &|path| {
        for name in ["a\nb.md", "a\tb.md", "-option.md", "$(touch).md", "a\"b.md", "\u{202e}dm.md", "con.md", " .md"] {
            std::fs::write(path.join(name), "# Strange\n\nWords.\n").unwrap();
        }
    });
    let climbing = repository(folder.path(), "climbing");
    git(&climbing, &["commit", "-qm", "x"]);
    made.push(("a name that climbs", climbing.clone()));
    // Git itself refuses such names in its index, so the tree is written byte by byte.
    let blob = git(&climbing, &["rev-parse", "HEAD:good.md"]);
    let mut tree = b"100644 ../../evil.md\0".to_vec();
    tree.extend(hex(&blob));
    std::fs::write(climbing.join(".git/tree"), tree).unwrap();
    let tree = git(&climbing, &["hash-object", "-w", "-t", "tree", "--literally", ".git/tree"]);
    let commit = git(&climbing, &["commit-tree", &tree, "-m", "evil"]);
    git(&climbing, &["update-ref", "refs/heads/main", &commit]);

    let configured = repository(folder.path(), "configured");
    git(&configured, &["commit", "-qm", "x"]);
    let evil = format!(
        "[core]\n\tfsmonitor = {touch}\n\tsshCommand = {touch}\n\tpager = {touch}\n\teditor = {touch}\n\tgitProxy = {touch}\n[uploadpack]\n\tpackObjectsHook = {touch}\n[alias]\n\trev-parse = !{touch}\n\tclone = !{touch}\n[include]\n\tpath = {}\n[credential]\n\thelper = !{touch}\n[protocol \"ext\"]\n\tallow = always\n",
        victim.file()
    );
    let mut config = std::fs::read_to_string(configured.join(".git/config")).unwrap();
    config.push_str(&evil);
    made.push(("configuration", configured.clone()));
    std::fs::write(configured.join(".git/config"), config).unwrap();
    let filters = folder.path().join("filters/.git/config");
    let config = std::fs::read_to_string(&filters).unwrap();
    let evil = format!(
        "[filter \"evil\"]\n\tsmudge = {touch}\n\tprocess = {touch}\n\trequired = true\n[diff \"evil\"]\n\ttextconv = {touch}\n"
    );
    std::fs::write(&filters, config + &evil).unwrap();
    for entry in std::fs::read_dir(folder.path().join("hooks/.git/hooks")).unwrap() {
        std::fs::set_permissions(entry.unwrap().path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    for (name, path) in &made {
        let began = Instant::now();
        let outcome = fetch(SourceKind::Git, path).await;
        soon(name, began, 20);
        assert!(!mark.exists(), "{name}: something was run");
        victim.unharmed(name, &told(&outcome));
        match outcome {
            // A name that climbs is no page, and then there is none.
            Err(failure) => assert!(["GIT_FAILED", "EMPTY"].contains(&failure.code.as_str()), "{name}: {failure}"),
            Ok(fetched) => {
                let paths: Vec<&str> = fetched.documents.iter().map(|document| document.path.as_str()).collect();
                assert!(paths.contains(&"good.md"), "{name}: {paths:?}");
                assert!(!paths.iter().any(|path| path.contains("..") || *path == "link.md"), "{name}: {paths:?}");
                if *name == "a huge page" {
                    assert_eq!(
                        fetched
                            .outline
                            .failures
                            .iter()
                            .map(|(path, failure)| (path.as_str(), failure.code.as_str()))
                            .collect::<Vec<_>>(),
                        [("huge.md", "TOO_LARGE")]
                    );
                }
            }
        }
    }
    println!("repositories: {} read or refused, 0 programs run, 0 files outside read", made.len());
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
