//! Caps hold, and nothing stays.

use super::*;

#[test]
fn what_was_started_ends_with_the_check() {
    for (what, script, mark) in [
        ("in the background", "sleep 97601 & exit 0", "97601"),
        ("in another session", "setsid sleep 97602 & exit 0", "97602"),
        ("twice forked", "(setsid sh -c 'sleep 97603 & sleep 97603' &); sleep 0.1; exit 0", "97603"),
        (
            "with nothing of its environment",
            "setsid env -i /bin/sleep 97604 </dev/null >/dev/null 2>&1 & exit 0",
            "97604",
        ),
        ("deaf", "(trap '' TERM HUP INT; exec sleep 97605) & exit 0", "97605"),
    ] {
        let came = Place::new().run(script);
        assert_eq!(came.ended().ending, Ending::Exit(0), "{what}");
        gone(mark);
    }
}

#[test]
fn nothing_is_written_after_the_end() {
    let place = Place::new();
    let came =
        place.run("setsid sh -c 'while :; do echo late >> late.txt; sleep 0.01; done' & sleep 0.2; exit 0");
    assert_eq!(came.ended().ending, Ending::Exit(0));
    let length = || std::fs::metadata(place.work().join("late.txt")).unwrap().len();
    let then = length();
    std::thread::sleep(Duration::from_millis(200));
    assert!(then > 0 && length() == then, "it went on writing");
}

#[test]
fn a_jail_that_nobody_waits_for_ends() {
    let place = Place::new();
    let (_reader, writer) = std::io::pipe().unwrap();
    let inmate = jail().start(&place.cell("setsid sleep 97611 & sleep 97611"), writer).unwrap();
    assert!((0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        alive("sleep\x0097611") == 2
    }));
    drop(inmate);
    gone("sleep\x0097611");
}

#[test]
fn memory_is_added_up_over_all_processes() {
    let place = Place::new();
    let hog = |megabytes: u32, times: u32| {
        format!(
            "for i in $(seq {times}); do python3 -c 'x=bytearray({megabytes}<<20); import time; time.sleep(60)' & done; wait"
        )
    };
    let mut cell = place.cell(&hog(100, 4));
    cell.limits.memory_bytes_max = 256 << 20;
    let came = put(&jail(), &cell);
    assert_eq!((came.ended().over, came.ended().ending), (Some(Over::Memory), Ending::Signal(9)), "{came:?}");
    // One process alone is refused the memory, and says so itself.
    let mut cell = place.cell("python3 -c 'x=bytearray(900<<20)'");
    cell.limits.memory_bytes_max = 256 << 20;
    let came = put(&jail(), &cell);
    assert!(came.output.contains("MemoryError"), "{came:?}");
}

#[test]
fn too_many_processes_end_the_check() {
    let place = Place::new();
    let mut cell = place.cell("for i in $(seq 90); do sleep 97621 & done; wait");
    cell.limits.processes_max = 60;
    let came = put(&jail(), &cell);
    assert_eq!(
        (came.ended().over, came.ended().ending),
        (Some(Over::Processes), Ending::Signal(9)),
        "{came:?}"
    );
    gone("97621");
}

#[test]
fn a_fork_bomb_stays_in_the_jail() {
    let place = Place::new();
    let mut cell = place.cell("bomb() { bomb | bomb & }; bomb; sleep 1");
    cell.limits.processes_max = 60;
    let came = put(&jail(), &cell);
    // The kernel's own count may keep it below what the watch looks for.
    assert!(came.ended().over.is_some() || came.output.contains("Cannot fork"), "{came:?}");
}

#[test]
fn files_and_cores_are_bounded() {
    let place = Place::new();
    let mut cell =
        place.cell("ulimit -c; ulimit -t; ulimit -n; head -c 3000000 /dev/zero > big; wc -c < big");
    cell.limits = CellLimits { file_bytes_max: 1 << 20, open_files_max: 99, ..LIMITS };
    assert!(put(&jail(), &cell).output.starts_with("0\n60\n99\n"));
    assert_eq!(std::fs::metadata(place.work().join("big")).unwrap().len(), 1 << 20);
}

#[test]
fn no_descriptor_of_whoever_started_it_comes_along() {
    let came = Place::new().run("ls /proc/self/fd | tr '\\n' ' '; readlink /proc/self/fd/0");
    assert_eq!(came.output, "0 1 2 3 /dev/null\n", "{came:?}");
}
