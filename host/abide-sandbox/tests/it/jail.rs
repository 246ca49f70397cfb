//! Programs in a jail: what they see, what they cannot do, and that nothing of them stays.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use abide_sandbox::jail::{Cell, CellLimits, Ended, Ending, Jail, Over, Report, Task, WALLS};

mod bounds;
mod escapes;
mod weaker;

/// What a host shows, as the product's data has it.
const SYSTEM: [&str; 8] =
    ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/ssl"];

const LIMITS: CellLimits = CellLimits {
    memory_bytes_max: 1 << 30,
    processes_max: 200,
    open_files_max: 1024,
    file_bytes_max: 1 << 30,
    cpu_s_max: 60,
};

/// The program that becomes a jail: beside this one, or where nobody can start it as well.
#[expect(clippy::disallowed_methods, reason = "the suite that runs as nobody is told where it is")]
fn program() -> PathBuf {
    std::env::var_os("ABIDE_RUNNER")
        .map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_abide-runner")), PathBuf::from)
}

fn jail() -> Jail {
    Jail::of(program())
}

/// A work tree and a private folder that everybody may reach, so that the tests also run as nobody.
struct Place {
    folder: tempfile::TempDir,
}

/// What came of a program.
#[derive(Debug)]
struct Came {
    report: Report,
    output: String,
}

impl Came {
    fn ended(&self) -> &Ended {
        self.report.ended.as_ref().unwrap_or_else(|why| panic!("{why}: {:?}\n{}", self.report, self.output))
    }
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["work", "private"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("work/file.txt"), "hello\n").unwrap();
        Self { folder }
    }

    fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    fn cell(&self, script: &str) -> Cell {
        Cell {
            task: Task::Run(["/bin/sh", "-c", script].map(str::to_owned).to_vec()),
            env: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
            work: self.work(),
            start: None,
            private: self.folder.path().join("private"),
            read: SYSTEM.iter().map(PathBuf::from).collect(),
            limits: LIMITS,
            required: Vec::new(),
            exit: false,
            line: false,
            etc: std::collections::BTreeMap::new(),
            nests: false,
        }
    }

    fn run(&self, script: &str) -> Came {
        put(&jail(), &self.cell(script))
    }
}

fn put(jail: &Jail, cell: &Cell) -> Came {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let inmate = jail.start(cell, writer).unwrap();
    let printed = std::thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        String::from_utf8_lossy(&all).into_owned()
    });
    let report = inmate.report();
    // The end of the output is the end of everybody who could print: that this returns says that nobody is left.
    let output = printed.join().unwrap();
    Came { report: report.unwrap_or_else(|error| panic!("{error}: {output}")), output }
}

/// Processes of this host whose command line holds `mark`.
fn alive(mark: &str) -> usize {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(mark)).count()
}

#[track_caller]
fn gone(mark: &str) {
    let within = (0..200).any(|_| {
        let gone = alive(mark) == 0;
        if !gone {
            std::thread::sleep(Duration::from_millis(10));
        }
        gone
    });
    assert!(within, "`{mark}` is still there");
}

fn exists(path: &str) -> bool {
    Path::new(path).exists()
}

#[test]
fn all_walls_stand_where_the_host_has_namespaces() {
    let came = Place::new().run("true");
    let names: Vec<&str> = came.report.walls.iter().map(|wall| wall.name.as_str()).collect();
    assert_eq!(names, WALLS);
    for wall in &came.report.walls {
        assert!(wall.stands && !wall.what.contains("(no"), "{wall:?}");
    }
    assert_eq!(came.ended().ending, Ending::Exit(0));
}

#[test]
fn status_signal_output_and_environment_come_through() {
    let place = Place::new();
    assert_eq!(place.run("exit 7").ended().ending, Ending::Exit(7));
    assert_eq!(place.run("kill -9 $$").ended().ending, Ending::Signal(9));
    let came = place.run("cat file.txt; pwd; env | cut -d= -f1 | sort | tr '\\n' ' '; cat; id -un; hostname");
    assert_eq!(came.output, "hello\n/work\nHOME PATH PWD TMPDIR check\njail\n");
    let mut cell = place.cell("");
    cell.task = Task::Run(vec!["/bin/nothing-here".to_owned()]);
    let refused = put(&jail(), &cell).report.ended.unwrap_err();
    assert!(refused.contains("`/bin/nothing-here` could not be started"), "{refused}");
}

#[test]
fn what_is_written_in_the_work_tree_stays_there_and_everywhere_else_nothing() {
    let place = Place::new();
    let came = place.run(
        "echo made > made.txt; echo t > $TMPDIR/t; echo h > ~/h; \
         for f in /x /usr/x /bin/x /etc/x /home/x /dev/x /var/x /run/x; do (echo x > $f) 2>/dev/null && echo wrote $f; done; true",
    );
    assert_eq!(came.output, "");
    assert_eq!(std::fs::read_to_string(place.work().join("made.txt")).unwrap(), "made\n");
    assert!(!exists("/usr/x") && !exists("/etc/x"));
}

#[test]
fn only_what_is_named_is_seen() {
    let came = Place::new().run("ls / | tr '\\n' ' '; ls /home /root /run /var /sys 2>/dev/null | tr '\\n' ' '; ls /proc | grep -c '^[0-9]'");
    let (seen, processes) = came.output.split_at(came.output.rfind(' ').unwrap());
    assert!(
        !seen.contains("root") && !seen.contains("sys") && seen.contains("work") && !seen.contains("srv"),
        "{seen}"
    );
    assert!(processes.trim().parse::<u32>().unwrap() < 8, "{processes}");
}

#[test]
fn a_wall_that_is_required_and_unknown_starts_nothing() {
    let place = Place::new();
    let mut cell = place.cell("echo started");
    cell.required = vec!["files".to_owned(), "moat".to_owned()];
    let came = put(&jail(), &cell);
    assert_eq!(
        (came.report.ended.unwrap_err().as_str(), came.output.as_str()),
        ("there is no wall `moat`", "")
    );
}

#[test]
fn a_program_that_is_no_jail_is_an_error() {
    let place = Place::new();
    let (_reader, writer) = std::io::pipe().unwrap();
    let inmate = Jail::of("/bin/true").start(&place.cell("true"), writer).unwrap();
    assert_eq!(inmate.report().unwrap_err().code(), "AB0951");
    let (_reader, writer) = std::io::pipe().unwrap();
    assert_eq!(Jail::of("/nowhere").start(&place.cell("true"), writer).unwrap_err().code(), "AB0950");
}

/// The listener of the way out is outside, what connects to it is inside, and nothing else of the host can be reached.
#[test]
fn a_way_out_is_one_port_of_the_jails_own_loopback() {
    let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::new();
    let ask = "python3 -c \"import os, socket; at = os.environ['HTTPS_PROXY'].removeprefix('http://').split(':'); \
        s = socket.create_connection((at[0], int(at[1])), 5); s.sendall(b'from inside'); print(s.recv(9).decode())\"";
    let beside = format!(
        "python3 -c \"import socket; socket.create_connection(('127.0.0.1', {}), 1)\" 2>&1 | grep -c refused",
        host.local_addr().unwrap().port()
    );
    let cell = Cell { exit: true, ..place.cell(&format!("{ask}; {beside}; test $http_proxy = $ALL_PROXY")) };
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut inmate = jail().start(&cell, writer).unwrap();
    let listener = inmate.take_exit().expect("a listener");
    assert!(inmate.take_exit().is_none(), "once");
    let (mut stream, _) = listener.accept().unwrap();
    let mut heard = [0; 11];
    stream.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"from inside");
    std::io::Write::write_all(&mut stream, b"answered").unwrap();
    drop(stream);
    let report = inmate.report().unwrap();
    let mut output = String::new();
    reader.read_to_string(&mut output).unwrap();
    assert_eq!(output, "answered\n1\n");
    let ended = report.ended.unwrap();
    assert_eq!((ended.ending, ended.tried), (Ending::Exit(0), Vec::new()));
    // Without a word of it there is none.
    let plain = place.run("env | grep -ci proxy; true");
    assert_eq!(plain.output, "0\n");
}
