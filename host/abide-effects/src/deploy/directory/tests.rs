use abide_core::id::RepoId;

use super::*;
use crate::trial::{Sandpit, Trial, digest, repo_id, run};

struct Bench {
    pit: Sandpit,
    trial: Trial,
    repo: Repo,
    driver: Directory,
}

const LIMITS: DirectoryLimits = DirectoryLimits {
    keep: 1,
    release: WorkspaceLimits { files_max: 100, bytes_max: 1 << 20, file_bytes_max: 1 << 20 },
};

fn environment() -> Environment {
    "staging".parse().unwrap()
}

impl Bench {
    fn new() -> Self {
        let pit = Sandpit::seeded();
        let repo = pit.open();
        let driver = Directory::new(pit.root().join("www"), None, LIMITS);
        Self { pit, trial: Trial::new(), repo, driver }
    }

    /// A new commit with `text` in README.md, and the deployment of it.
    fn change(&self, text: &str) -> Deploy {
        self.pit.write("README.md", text);
        let commit = self.pit.commit(text);
        let release = ReleaseId::of(&commit);
        let rollback = self.driver.way_back(&environment(), &release).unwrap();
        let tree = self.pit.tree("HEAD");
        Deploy { repo: repo_id(), run: run(), environment: environment(), release, commit, tree, rollback }
    }

    fn deploy(&self, action: &Deploy) -> Result<Receipt<Deployed>, DeployError> {
        self.driver.deploy(self.trial.permit(action.clone()), &self.repo)
    }

    fn promote(&self, action: &Deploy) -> Result<Receipt<Promoted>, DeployError> {
        self.driver.promote(self.trial.permit(promotion(action)))
    }

    fn roll_back(&self, action: &Deploy) -> Result<Receipt<RolledBack>, DeployError> {
        self.driver.roll_back(self.trial.permit(Rollback { plan: action.rollback.clone() }))
    }

    fn served(&self) -> Option<String> {
        std::fs::read_to_string(self.pit.root().join("www/staging/current/README.md")).ok()
    }

    fn standing(&self) -> (Option<ReleaseId>, Option<ReleaseId>) {
        let standing = self.driver.standing(&environment()).unwrap();
        (standing.current, standing.canary)
    }
}

fn promotion(action: &Deploy) -> Promote {
    let (environment, release, rollback) =
        (action.environment.clone(), action.release.clone(), action.rollback.clone());
    Promote { run: run(), environment, release, evidence: digest("evidence"), rollback }
}

#[test]
fn a_release_goes_out_is_promoted_and_can_be_taken_back() {
    let bench = Bench::new();
    let first = bench.change("one");
    let receipt = bench.deploy(&first).unwrap();
    assert_eq!(
        (receipt.landing, bench.served()),
        (Landing::Fresh, None),
        "a canary is not served to everybody"
    );
    assert!(receipt.outcome.path.join("docs/a.md").exists());
    assert!(!receipt.outcome.path.join(".git").exists());
    assert_eq!(bench.promote(&first).unwrap().landing, Landing::Fresh);
    assert_eq!(
        (bench.served().as_deref(), bench.standing()),
        (Some("one"), (Some(first.release.clone()), None))
    );
    let second = bench.change("two");
    assert_eq!(second.rollback.way, WayBack::Release(first.release.clone()));
    assert_eq!(bench.deploy(&second).unwrap().landing, Landing::Fresh);
    assert_eq!(bench.promote(&second).unwrap().landing, Landing::Fresh);
    assert_eq!(bench.served().as_deref(), Some("two"));
    let back = bench.roll_back(&second).unwrap();
    assert_eq!((back.landing, back.outcome.to), (Landing::Fresh, Some(first.release.clone())));
    assert_eq!(bench.served().as_deref(), Some("one"));
    assert_eq!(bench.roll_back(&first).unwrap().outcome.to, None);
    assert_eq!((bench.served(), bench.standing()), (None, (None, None)));
}

#[test]
fn every_step_taken_twice_is_a_no_op() {
    let bench = Bench::new();
    let action = bench.change("one");
    assert_eq!(bench.driver.probe_deploy(&action).unwrap(), None);
    let (first, second) = (bench.deploy(&action).unwrap(), bench.deploy(&action).unwrap());
    assert_eq!((second.landing, &second.outcome), (Landing::Already, &first.outcome));
    assert_eq!(bench.driver.probe_promote(&promotion(&action)).unwrap(), None);
    let (first, second) = (bench.promote(&action).unwrap(), bench.promote(&action).unwrap());
    assert_eq!((second.landing, &second.outcome), (Landing::Already, &first.outcome));
    assert!(bench.driver.probe_promote(&promotion(&action)).unwrap().is_some());
    let way = Rollback { plan: action.rollback.clone() };
    assert_eq!(bench.driver.probe_roll_back(&way).unwrap(), None);
    let (first, second) = (bench.roll_back(&action).unwrap(), bench.roll_back(&action).unwrap());
    assert_eq!((second.landing, &second.outcome), (Landing::Already, &first.outcome));
    assert!(bench.driver.probe_roll_back(&way).unwrap().is_some());
}

#[test]
fn a_canary_that_fails_is_taken_away_while_the_system_is_halted() {
    let bench = Bench::new();
    let first = bench.change("one");
    assert_eq!(bench.deploy(&first).unwrap().landing, Landing::Fresh);
    assert_eq!(bench.promote(&first).unwrap().landing, Landing::Fresh);
    let second = bench.change("two");
    assert_eq!(bench.deploy(&second).unwrap().landing, Landing::Fresh);
    bench.trial.world.kill();
    assert_eq!(bench.promote(&second).unwrap_err().code(), "AB0121");
    assert_eq!(bench.deploy(&bench.change("three")).unwrap_err().code(), "AB0121");
    let back = bench.roll_back(&second).unwrap();
    assert_eq!(back.landing, Landing::Fresh);
    assert_eq!((bench.served().as_deref(), bench.standing()), (Some("one"), (Some(first.release), None)));
}

#[test]
fn a_way_back_that_leads_elsewhere_is_refused() {
    let bench = Bench::new();
    let stale = bench.change("one");
    let other = bench.change("other");
    assert_eq!(bench.deploy(&other).unwrap().landing, Landing::Fresh);
    assert_eq!(bench.promote(&other).unwrap().landing, Landing::Fresh);
    assert_eq!(bench.deploy(&stale).unwrap_err().code(), "AB0602", "`nothing` is no longer the way back");
    assert_eq!(bench.roll_back(&stale).unwrap_err().code(), "AB0602");
    assert_eq!(bench.promote(&stale).unwrap_err().code(), "AB0603");
    assert_eq!(bench.served().as_deref(), Some("other"));
}

#[test]
fn a_release_follows_from_its_commit() {
    let bench = Bench::new();
    let action = bench.change("one");
    let wrong_name = Deploy { release: "r0123456789abcdef".parse().unwrap(), ..action.clone() };
    let wrong_tree = Deploy { tree: bench.pit.tree("HEAD~1"), ..action.clone() };
    let wrong_repo = Deploy { repo: "other".parse::<RepoId>().unwrap(), ..action };
    let codes = [wrong_name, wrong_tree, wrong_repo].map(|action| bench.deploy(&action).unwrap_err().code());
    assert_eq!(codes, ["AB0601", "AB0601", "AB0329"]);
}

#[test]
fn releases_are_read_only_and_links_may_not_lead_out() {
    let bench = Bench::new();
    let path = bench.deploy(&bench.change("one")).unwrap().outcome.path;
    let mode =
        |at: &std::path::Path| std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(at).unwrap()) & 0o777;
    assert_eq!(
        (mode(&path), mode(&path.join("docs/a.md")), mode(&path.join("run.sh"))),
        (0o555, 0o444, 0o555)
    );
    std::os::unix::fs::symlink("/etc/passwd", bench.pit.work().join("out")).unwrap();
    assert_eq!(bench.deploy(&bench.change("two")).unwrap_err().code(), "AB0352");
    let names = std::fs::read_dir(bench.pit.root().join("www/staging/releases")).unwrap();
    assert_eq!(names.count(), 2, "a failed build leaves nothing: one release and its origin");
}

#[test]
fn a_crash_between_steps_is_gone_on_from() {
    let bench = Bench::new();
    let action = bench.change("one");
    let releases = bench.pit.root().join("www/staging/releases");
    // Killed while building.
    std::fs::create_dir_all(releases.join(".build-left/docs")).unwrap();
    // Killed after the origin was written and before the folder got its name.
    std::fs::write(releases.join(format!("{}.origin", action.release)), format!("{}\n", action.tree))
        .unwrap();
    assert_eq!(bench.deploy(&action).unwrap().landing, Landing::Fresh);
    assert!(!releases.join(".build-left").exists());
    // Killed after the folder got its name and before the link was switched.
    std::fs::remove_file(bench.pit.root().join("www/staging/canary")).unwrap();
    std::os::unix::fs::symlink("nowhere", bench.pit.root().join("www/staging/.canary.next")).unwrap();
    assert_eq!(bench.deploy(&action).unwrap().landing, Landing::Fresh);
    // Killed while promoting: `current` is switched, `canary` is not removed.
    std::os::unix::fs::symlink(
        format!("releases/{}", action.release),
        bench.pit.root().join("www/staging/current"),
    )
    .unwrap();
    assert_eq!(bench.driver.probe_promote(&promotion(&action)).unwrap(), None);
    assert_eq!(bench.promote(&action).unwrap().landing, Landing::Already);
    assert_eq!(bench.standing(), (Some(action.release), None));
}

#[test]
fn what_somebody_else_put_there_is_not_touched() {
    let bench = Bench::new();
    let action = bench.change("one");
    let top = bench.pit.root().join("www/staging");
    std::fs::create_dir_all(top.join("releases").join(action.release.as_str())).unwrap();
    assert_eq!(
        bench.deploy(&action).unwrap_err().code(),
        "AB0605",
        "a folder of that name that Abide did not make"
    );
    std::fs::create_dir_all(top.join("current")).unwrap();
    assert_eq!(bench.deploy(&action).unwrap_err().code(), "AB0605");
    std::fs::remove_dir(top.join("current")).unwrap();
    std::os::unix::fs::symlink("/srv/old", top.join("current")).unwrap();
    assert_eq!(bench.deploy(&action).unwrap_err().code(), "AB0605");
    let held = bench.driver.layout(&environment()).hold().unwrap();
    assert_eq!(bench.roll_back(&action).unwrap_err().code(), "AB0606");
    drop(held);
}

#[test]
fn old_releases_are_removed_but_never_the_way_back() {
    let bench = Bench::new();
    for text in ["one", "two", "three", "four"] {
        let action = bench.change(text);
        assert_eq!(bench.deploy(&action).unwrap().landing, Landing::Fresh);
        assert_eq!(bench.promote(&action).unwrap().landing, Landing::Fresh);
    }
    let names = std::fs::read_dir(bench.pit.root().join("www/staging/releases")).unwrap();
    let kept = names.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!((kept, bench.served().as_deref()), (3, Some("four")), "current, way back and one more");
}

#[test]
fn a_subfolder_can_be_released() {
    let bench = Bench::new();
    let driver = Directory::new(bench.pit.root().join("www"), Some("docs".parse().unwrap()), LIMITS);
    let action = bench.change("one");
    let receipt = driver.deploy(bench.trial.permit(action), &bench.repo).unwrap();
    assert!(receipt.outcome.path.join("a.md").exists());
    assert!(!receipt.outcome.path.join("README.md").exists());
}
