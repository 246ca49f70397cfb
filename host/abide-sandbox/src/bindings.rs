//! Generated from `wit/`. Private: nothing outside of this crate sees a type of the engine.

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package abide:host;
        world any {
            import abide:worker/workspace@0.1.0;
            import abide:worker/browser@0.1.0;
            import abide:worker/egress@0.1.0;
            import abide:worker/log@0.1.0;
            import abide:worker/progress@0.1.0;
            use abide:worker/types@0.1.0.{task, proposal, failure};
            export propose: func(task: task) -> result<proposal, failure>;
        }
    ",
    world: "abide:host/any",
    with: { "abide:worker/browser.page": abide_core::page::PageId },
});
