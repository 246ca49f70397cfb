//! Who a check is: a user of no rights, inside and outside.

use std::io;
use std::os::unix::fs::lchown;
use std::path::{Path, PathBuf};

use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
};

/// The user inside, wherever a user namespace can say so.
const INSIDE: u32 = 1000;
/// The user outside, where root starts a jail: the one that owns nothing by custom.
const NOBODY: u32 = 65_534;

/// In a user namespace that was just made: `uid` and `gid` outside are the jail's user inside.
pub(super) fn map(uid: u32, gid: u32) -> io::Result<()> {
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/gid_map", format!("{INSIDE} {gid} 1"))?;
    std::fs::write("/proc/self/uid_map", format!("{INSIDE} {uid} 1"))
}

/// Lets the rights of a new user namespace outlast the next program: that one builds the view with them, and gives them up.
pub(super) fn hand_on_rights() -> io::Result<()> {
    let held = capabilities(None)?;
    set_capabilities(None, CapabilitySets { inheritable: held.permitted, ..held })?;
    for capability in held.permitted.iter() {
        // One that this kernel does not know is not there.
        configure_capability_in_ambient_set(capability, true).ok();
    }
    Ok(())
}

/// From root to nobody, with the folders `own`. In the end also in a user namespace of its own, where the host has one to give.
///
/// Errs where root is all that there is: in a namespace that knows no other user, or without the right to become one.
pub(super) fn become_nobody(own: &[&Path]) -> io::Result<()> {
    for folder in own {
        hand_over(folder)?;
    }
    setgroups(&[])?;
    let (uid, gid) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    setresgid(gid, gid, gid)?;
    setresuid(uid, uid, uid)?;
    // What changes its user cannot be looked at by itself either, until it says so.
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    if unshare(CloneFlags::CLONE_NEWUSER).is_ok() {
        set_dumpable_behavior(DumpableBehavior::Dumpable)?;
        map(NOBODY, NOBODY)?;
    }
    Ok(())
}

/// Gives what is at and below `top` to nobody. Links are given, not followed.
fn hand_over(top: &Path) -> io::Result<()> {
    let mut left = vec![PathBuf::from(top)];
    while let Some(path) = left.pop() {
        match lchown(&path, Some(NOBODY), Some(NOBODY)) {
            // Something of the host that is shown below: it is for reading, and stays whose it is.
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => continue,
            other => other?,
        }
        if std::fs::symlink_metadata(&path)?.is_dir() {
            for entry in std::fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
    }
    Ok(())
}

/// Gives up every capability, for good.
pub(super) fn drop_rights() -> io::Result<()> {
    clear_ambient_capability_set()?;
    for capability in CapabilitySet::all().iter() {
        // One that this kernel does not know is not there; one that may not be removed is useless without new privileges.
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability).ok();
        }
    }
    let none = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?)
}
