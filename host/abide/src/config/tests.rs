use super::*;

const SEED: &str = r#"
autonomy_profile: prod-conservative
router:
  rules:
    - when: task == 'spec' and context_tokens > 60k
      use: premium
budgets:
  per_run_usd: 100
  per_task_tokens: 16k
  wall_time_minutes: 120
safety:
  require_reason_for_access: true
  forbidden_patterns: ["DROP TABLE", "exec("]
autonomous_loop:
  enabled: true
  scan_interval: 3600
  max_improvements_per_cycle: 5
  safety_level: "high"
improvement_priorities:
  - security_fixes: 1.0
  - performance_issues: 0.8
safety_settings:
  require_tests: true
  max_change_size: 100
  rollback_threshold: 0.95
"#;

fn main() -> RefName {
    RefName::branch("main").unwrap()
}

#[test]
fn the_roadmaps_spelling_is_read() {
    let config = Config::parse(SEED, &main()).unwrap();
    assert_eq!(config.usd_micro_max, Some(100_000_000));
    assert_eq!(config.wall_ms_max, Some(7_200_000));
    assert_eq!(config.rollback_threshold_permille, Some(950));
    assert_eq!(config.change_lines_max, Some(100));
    assert_eq!(config.forbidden_patterns, ["DROP TABLE", "exec("]);
    assert_eq!(config.level_max, Level::A1, "a file that does not say starts assisted");
    assert_eq!(config.protected, [main()]);
}

#[test]
fn what_is_not_understood_is_refused() {
    for bad in [
        "",
        "autonomy_profile: [",
        "autonomy_profil: x",
        "autonomy_profile: x\nautonomy_profile: y",
        "autonomy_profile: x\nsafety: {mode: yolo}",
        "autonomy_profile: x\nsafety: {modes: allow}",
        "autonomy_profile: x\nautonomy_max: A6",
        "autonomy_profile: x\ntarget: 'a..b'",
        "autonomy_profile: x\ntickets: fixed.md",
        "autonomy_profile: x\nsafety_settings: {rollback_threshold: 1.5}",
        "autonomy_profile: x\nchecks: [{name: a, run: [], timeout: 1s}]",
        "autonomy_profile: x\nchecks: [{name: a, run: [x], timeout: 60}]",
        "autonomy_profile: x\nchecks: [{name: a, run: [x], timeout: 1s}, {name: a, run: [y], timeout: 1s}]",
        "autonomy_profile: x\ndeploy: {environment: p, driver: directory, directory: here, probe: {file: a}}",
        "autonomy_profile: x\ndeploy: {environment: p, driver: directory, directory: /a, source: ../b, probe: {file: a}}",
    ] {
        assert!(Config::parse(bad, &main()).is_err(), "{bad}");
    }
}

#[test]
fn an_error_points_at_its_place() {
    let text = "autonomy_profile: x\nsafety:\n  modus: allow\n";
    let Err(ConfigError::Shape { offset: Some(offset), .. }) = Config::parse(text, &main()) else { panic!() };
    assert!(text.get(offset..).unwrap().starts_with("modus"), "{offset}");
}
