//! Generated from `wit/`. Only the imports: the export is generated in each worker, for its own world.
#![allow(
    missing_docs,
    clippy::pedantic,
    unreachable_pub,
    missing_debug_implementations,
    reason = "generated"
)]

wit_bindgen::generate!({
    inline: "
        package abide:kit;
        world kit {
            import abide:worker/types@0.1.0;
            import abide:worker/workspace@0.1.0;
            import abide:worker/browser@0.1.0;
            import abide:worker/egress@0.1.0;
            import abide:worker/log@0.1.0;
            import abide:worker/progress@0.1.0;
        }
    ",
    path: "../../wit",
    world: "abide:kit/kit",
    generate_all,
    additional_derives: [PartialEq, Eq],
});
