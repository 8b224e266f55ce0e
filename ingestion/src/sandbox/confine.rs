//! What the child takes from itself before it reads a byte: memory, time, files, network, privileges.

use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, setrlimit};

use super::{Allowance, Level};

const MEMORY: u64 = 1 << 30;
const SECONDS: u64 = 30;

/// Confines this process for good; call it while it has one thread.
pub(super) fn confine() -> Level {
    let mut missing = Vec::new();
    for (resource, most, name) in [
        (Resource::RLIMIT_CORE, 0, "core dumps"),
        (Resource::RLIMIT_FSIZE, 0, "file size"),
        (Resource::RLIMIT_CPU, SECONDS, "processor time"),
        (Resource::RLIMIT_AS, MEMORY, "memory"),
        (Resource::RLIMIT_NOFILE, 16, "open files"),
    ] {
        if let Err(error) = setrlimit(resource, most, most) {
            missing.push(format!("no limit of {name}: {error}"));
        }
    }
    linux(&mut missing, &[], &[]);
    // No process or thread from here on; root is not held to this by the kernel.
    if let Err(error) = setrlimit(Resource::RLIMIT_NPROC, 0, 0) {
        missing.push(format!("no limit of processes: {error}"));
    }
    if missing.is_empty() { Level::Full } else { Level::Reduced(missing) }
}

/// Where a program of the system finds its libraries and what it asks of the machine.
const SYSTEM: [&str; 9] = [
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/etc/ld.so.cache",
    "/etc/alternatives",
    "/dev/null",
    "/dev/urandom",
    "/sys/devices/system/cpu",
];

/// Confines this process for good before it becomes `program`; what this system cannot limit is what
/// [`confine`] reports, asked for the same things.
pub(super) fn program(allowance: &Allowance, program: &Path) {
    let mut missing = Vec::new();
    for (resource, most) in [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, allowance.file),
        (Resource::RLIMIT_CPU, allowance.cpu_seconds),
        (Resource::RLIMIT_AS, allowance.memory),
        (Resource::RLIMIT_NOFILE, 256),
    ] {
        if let Err(error) = setrlimit(resource, most, most) {
            missing.push(error.to_string());
        }
    }
    let own = program.canonicalize().ok().and_then(|path| path.parent().map(Path::to_owned));
    let reads: Vec<PathBuf> =
        SYSTEM.iter().map(PathBuf::from).chain(own).chain(allowance.reads.iter().cloned()).collect();
    let writes: Vec<PathBuf> = allowance.folder.iter().cloned().collect();
    linux(&mut missing, &reads, &writes);
}

#[cfg(target_os = "linux")]
fn linux(missing: &mut Vec<String>, reads: &[PathBuf], writes: &[PathBuf]) {
    use nix::sched::CloneFlags;

    if let Err(error) = nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL) {
        missing.push(format!("does not die with its parent: {error}"));
    }
    if let Err(error) = nix::sys::prctl::set_dumpable(false) {
        missing.push(format!("may be traced: {error}"));
    }
    if let Err(error) = nix::sys::prctl::set_no_new_privs() {
        missing.push(format!("may gain privileges: {error}"));
    }
    let isolated = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC;
    if let Err(error) = nix::sched::unshare(CloneFlags::CLONE_NEWUSER | isolated) {
        missing.push(format!("no network namespace (user namespaces refused: {error})"));
    }
    if let Err(reason) = landlock(reads, writes) {
        missing.push(reason);
    }
}

#[cfg(target_os = "linux")]
fn landlock(reads: &[PathBuf], writes: &[PathBuf]) -> Result<(), String> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetStatus, path_beneath_rules,
    };

    let refused = |error: landlock::RulesetError| format!("no file rules (landlock: {error})");
    // ABI 1 is what every kernel with Landlock knows; newer rights are added where they exist.
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(ABI::V4))
        .map_err(refused)?
        .handle_access(AccessNet::from_all(ABI::V4))
        .map_err(refused)?
        .create()
        .map_err(refused)?
        // A path that is not there grants nothing.
        .add_rules(path_beneath_rules(reads, AccessFs::from_read(ABI::V4)))
        .map_err(refused)?
        .add_rules(path_beneath_rules(writes, AccessFs::from_all(ABI::V4)))
        .map_err(refused)?
        .restrict_self()
        .map_err(refused)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("no file rules (this kernel has no landlock)".into()),
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn linux(missing: &mut Vec<String>, _reads: &[PathBuf], _writes: &[PathBuf]) {
    missing.push("no namespaces and no file rules on this system".into());
}
