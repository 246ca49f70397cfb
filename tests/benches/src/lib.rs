//! Measurements; the benchmarks are in `benches/`. See `cargo xtask bench`. Here: what several of them need.

use std::path::Path;
use std::sync::Arc;

use abide_core::action::{Manners, OpenEgress};
use abide_core::facts::Meter;
use abide_core::facts::config::MeasureConfig;
use abide_core::id::Timestamp;
use abide_effects::egress::dial::{DialLimits, trust};
use abide_effects::egress::lease::{Lease, LeaseData};
use abide_effects::egress::resolver::SystemResolver;
use abide_effects::egress::vault::NoVault;
use abide_effects::egress::{Broker, Parts, Session, Until};
use abide_gate::{Admission, Ask, Bundle, Clock, DecisionLog, Gate, Halt, NativeJudge};
use abide_ledger::{Ledger, Opening};
use abide_tests::gate::{self, NOW, StillClock};
use serde_json::{Value, json};

/// A lease of `rules` over a real broker, with a real ledger in `folder` as its kill switch, and without a budget that could end.
///
/// # Panics
/// If one of them cannot be made.
pub fn session(folder: &Path, rules: &Value, manners: Option<Manners>) -> Session {
    let most = u32::MAX;
    let budgets = json!({
        "requests_max": most, "per_second_max": most, "concurrent_max": 64, "request_bytes_max": most, "response_bytes_max": most,
        "bytes_max": u64::MAX, "request_ms_max": 5_000, "idle_ms_max": 5_000, "lease_ms_max": u64::MAX,
    });
    let mut data: LeaseData = serde_json::from_value(json!({"rules": rules, "budgets": budgets})).unwrap();
    data.manners = manners;
    let component = gate::digest("component");
    let lease = Lease::compile(&data, component.clone()).unwrap();

    let folder = folder.join("ledger");
    let ledger = Arc::new(
        Ledger::create(&folder, &[7; 32], "abide/bench", Timestamp(NOW), &Opening::STANDARD).unwrap(),
    );
    let log: Arc<dyn DecisionLog> = Arc::<Ledger>::clone(&ledger);
    let halt: Arc<dyn Halt> = ledger;
    let clock: Arc<dyn Clock> = Arc::new(StillClock(NOW.into()));
    let rule = r#"package abide
decision := {"verdict": "allow", "findings": []}"#;
    let modules = [("allow_all.rego".to_owned(), rule.to_owned())].into();
    let bundle = Bundle::load(modules, json!({})).unwrap();
    let gate = Gate::new(Arc::new(NativeJudge::over(bundle)), log, clock.clone(), halt);
    let (origins, manners) = (lease.origins(), lease.manners.clone());
    let action = OpenEgress {
        run: gate::run_id(),
        unit: "u1".to_owned(),
        component,
        origins: origins.clone(),
        manners,
        source: None,
    };
    let ask = Ask { requests: origins, ..gate::ask("exploration") };
    let Admission::Allow { permit, .. } = gate.admit(action, ask).unwrap() else {
        panic!("it allows everything")
    };
    let measure = MeasureConfig::from_data(gate::shipped().data()).unwrap();
    let broker = Broker::new(Parts {
        resolver: SystemResolver::of_this_machine(),
        tls: trust(&[]).unwrap(),
        vault: Arc::new(NoVault),
        meter: Arc::new(Meter::compile(&measure).unwrap()),
        clock,
        limits: DialLimits::USUAL,
        upstream: None,
    });
    broker.open(permit, lease, Until::Permit).unwrap()
}
