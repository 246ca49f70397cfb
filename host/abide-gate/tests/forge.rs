//! Abuses of permits that the compiler refuses. The `.stderr` files are those of the pinned Rust; `TRYBUILD=overwrite` writes them anew.

#[test]
fn a_permit_cannot_be_forged() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
