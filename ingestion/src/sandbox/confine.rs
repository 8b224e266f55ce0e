//! What the child takes from itself before it reads a byte: memory, time, files, network, privileges.

use nix::sys::resource::{Resource, setrlimit};

use super::Level;

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
    linux(&mut missing);
    if missing.is_empty() { Level::Full } else { Level::Reduced(missing) }
}

#[cfg(target_os = "linux")]
fn linux(missing: &mut Vec<String>) {
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
    if let Err(reason) = landlock() {
        missing.push(reason);
    }
    // No process or thread from here on; root is not held to this by the kernel.
    if let Err(error) = setrlimit(Resource::RLIMIT_NPROC, 0, 0) {
        missing.push(format!("no limit of processes: {error}"));
    }
}

#[cfg(target_os = "linux")]
fn landlock() -> Result<(), String> {
    use landlock::{ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetStatus};

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
        .restrict_self()
        .map_err(refused)?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("no file rules (this kernel has no landlock)".into()),
        RulesetStatus::PartiallyEnforced | RulesetStatus::FullyEnforced => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn linux(missing: &mut Vec<String>) {
    missing.push("no namespaces and no file rules on this system".into());
}
