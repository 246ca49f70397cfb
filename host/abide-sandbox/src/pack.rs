//! Makes a component of a core module that has the types of its world in it, as the bindings of wit-bindgen leave them.

/// Why a module cannot be made a component.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PackError(String);

impl PackError {
    /// The code that `ab explain` knows.
    pub fn code(&self) -> &'static str {
        "AB0859"
    }
}

/// The component around `module`.
pub fn pack(module: &[u8]) -> Result<Vec<u8>, PackError> {
    let encoder = wit_component::ComponentEncoder::default().module(module);
    let component = encoder.and_then(|encoder| encoder.validate(true).encode());
    component.map_err(|error| {
        let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
        PackError(causes.join(": "))
    })
}
