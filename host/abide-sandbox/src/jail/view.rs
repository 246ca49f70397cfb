//! The files that a check sees: the toolchain read-only, its work tree, a temporary folder, a few devices, its own processes. Nothing else is there to be opened.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::{chdir, pivot_root};

use super::paths;
use super::start::{Cell, HOME, ROOT, TEMPORARY};

/// Devices that lead nowhere.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];
/// Files of `/etc` that would otherwise tell of this host, or send a program to a service that is not there.
const ETC: [(&str, &str); 5] = [
    (
        "passwd",
        "root:x:0:0:root:/nonexistent:/usr/sbin/nologin\ncheck:x:1000:1000:check:/home/check:/bin/sh\n",
    ),
    ("group", "root:x:0:\ncheck:x:1000:\n"),
    ("hosts", "127.0.0.1 localhost\n::1 localhost\n127.0.1.1 jail\n0.0.0.0 any\n"),
    ("hostname", "jail\n"),
    ("nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\n"),
];
const PLAIN: MountFlags = MountFlags::NOSUID.union(MountFlags::NODEV);

/// Builds it and steps into it. Where that fails, what is seen is as before.
pub(super) fn enter(cell: &Cell) -> io::Result<()> {
    // What is mounted here must not appear outside.
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let root = cell.private.join(ROOT);
    tmpfs(&root, "mode=0755,size=4m")?;
    own(cell, &root)?;
    for path in shown(&cell.read) {
        show(&path, &root)?;
    }
    read_only(&root)?;
    devices(&root)?;
    let processes = root.join("proc");
    fs::create_dir_all(&processes)?;
    mount("proc", &processes, "proc", PLAIN | MountFlags::NOEXEC, None)?;
    chdir(&root)?;
    pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    chdir("/")?;
    mount_remount("/", PLAIN | MountFlags::BIND | MountFlags::RDONLY, "")?;
    Ok(())
}

/// What may be written, and what is made up.
fn own(cell: &Cell, root: &Path) -> io::Result<()> {
    let places = [
        (cell.work.clone(), paths::WORK),
        (cell.private.join(HOME), paths::HOME),
        (cell.private.join(TEMPORARY), paths::TEMPORARY),
    ];
    for (from, to) in places {
        let to = inside(root, Path::new(to));
        fs::create_dir_all(&to)?;
        mount_bind(&from, &to)?;
        mount_remount(&to, PLAIN | MountFlags::BIND | locked(&to)?, "")?;
    }
    let etc = root.join("etc");
    fs::create_dir_all(&etc)?;
    for (name, text) in ETC {
        fs::write(etc.join(name), text)?;
    }
    for (name, text) in &cell.etc {
        let to = etc.join(within(name)?);
        fs::create_dir_all(to.parent().unwrap_or(&etc))?;
        fs::write(to, text)?;
    }
    fs::create_dir_all(root.join("run"))?;
    fs::create_dir_all(root.join("var"))?;
    // Not `/tmp`: until the root is changed that would be the host's, and what is shown below it would be made there.
    symlink("../tmp", root.join("var/tmp"))
}

/// A path that stays where it is joined to.
fn within(name: &str) -> io::Result<&Path> {
    let path = Path::new(name);
    let is_plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if is_plain { Ok(path) } else { Err(io::Error::other(format!("`{name}` leads out of `/etc`"))) }
}

/// Shorter paths first, and none that lies in another.
fn shown(read: &[PathBuf]) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = read.to_vec();
    paths.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in paths {
        let is_link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        if is_link || !kept.iter().any(|outer| path.starts_with(outer)) {
            kept.push(path);
        }
    }
    kept
}

/// Shows one path where it is outside. A link is made again; what is not there is left out.
fn show(path: &Path, root: &Path) -> io::Result<()> {
    let Ok(meta) = path.symlink_metadata() else { return Ok(()) };
    let to = inside(root, path);
    if to.symlink_metadata().is_ok() && !meta.is_dir() {
        return Ok(());
    }
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder)?;
    }
    if meta.is_symlink() {
        return symlink(fs::read_link(path)?, &to);
    }
    if meta.is_dir() {
        fs::create_dir_all(&to)?;
    } else if meta.is_file() {
        File::create(&to)?;
    } else {
        return Err(io::Error::other(format!("`{}` is neither a file nor a folder", path.display())));
    }
    mount_bind_recursive(path, &to)
        .map_err(|error| io::Error::other(format!("`{}` could not be shown: {error}", path.display())))
}

/// Takes the right to write from everything below `root` that is not the check's own, mounts within mounts included.
fn read_only(root: &Path) -> io::Result<()> {
    let own = [paths::WORK, paths::HOME, paths::TEMPORARY].map(|path| inside(root, Path::new(path)));
    for (place, options) in mounts()? {
        let is_own = own.contains(&place);
        if place == root || !place.starts_with(root) || is_own {
            continue;
        }
        mount_remount(&place, PLAIN | MountFlags::BIND | MountFlags::RDONLY | flags(&options), "")
            .map_err(|error| io::Error::other(format!("`{}` stays writable: {error}", place.display())))?;
    }
    Ok(())
}

/// Options that a mount has and that only its owner may take away.
fn locked(place: &Path) -> io::Result<MountFlags> {
    let all = mounts()?;
    Ok(all
        .iter()
        .rev()
        .find(|(at, _)| at == place)
        .map_or(MountFlags::empty(), |(_, options)| flags(options)))
}

fn flags(options: &str) -> MountFlags {
    let flag = |option: &str| match option {
        "ro" => MountFlags::RDONLY,
        "nosuid" => MountFlags::NOSUID,
        "nodev" => MountFlags::NODEV,
        "noexec" => MountFlags::NOEXEC,
        "noatime" => MountFlags::NOATIME,
        "nodiratime" => MountFlags::NODIRATIME,
        "relatime" => MountFlags::RELATIME,
        _ => MountFlags::empty(),
    };
    options.split(',').map(flag).fold(MountFlags::empty(), MountFlags::union)
}

/// Where something is mounted, and with which options (`proc(5)`, mountinfo).
fn mounts() -> io::Result<Vec<(PathBuf, String)>> {
    let table = fs::read_to_string("/proc/self/mountinfo")?;
    let row = |line: &str| {
        let mut fields = line.split(' ').skip(4);
        Some((PathBuf::from(unescaped(fields.next()?)), fields.next()?.to_owned()))
    };
    Ok(table.lines().filter_map(row).collect())
}

/// `\040` is how the table writes a space.
fn unescaped(text: &str) -> String {
    let pairs = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

fn devices(root: &Path) -> io::Result<()> {
    let folder = root.join("dev");
    fs::create_dir_all(&folder)?;
    for name in DEVICES {
        let to = folder.join(name);
        File::create(&to)?;
        mount_bind(Path::new("/dev").join(name), &to)?;
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(to, folder.join(name))?;
    }
    let shared = folder.join("shm");
    fs::create_dir_all(&shared)?;
    // LIMIT: what is written there and not mapped is not seen by the watch.
    tmpfs(&shared, "mode=1777,size=64m")
}

fn tmpfs(at: &Path, options: &str) -> io::Result<()> {
    let options = CString::new(options)?;
    Ok(mount("tmpfs", at, "tmpfs", PLAIN, Some(options.as_c_str()))?)
}

/// The path below `root`.
fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
