//! Compiling what nobody trusts, behind the same walls.

use serde_bytes::ByteBuf;

use crate::component::{self, LoadError};
use crate::engine::{self, EngineLimits, Execution};
use abide_core::id::Digest;

/// What an engine with `limits` runs in this way.
pub(super) fn compile(
    limits: &EngineLimits,
    execution: Execution,
    bytes: &[u8],
) -> Result<ByteBuf, LoadError> {
    let size = component::check_outside(bytes, limits.component_bytes_max)?;
    let engine =
        engine::for_compiling(limits, execution).map_err(|error| LoadError::Malformed(error.to_string()))?;
    let component = component::compiled(&engine, bytes)?;
    // Only a component that exports what a worker does is worth keeping.
    component::describe(&engine, &component, Digest::of(bytes), size)?;
    component.serialize().map(ByteBuf::from).map_err(|error| component::malformed(&error))
}
