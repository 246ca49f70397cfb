//! Numbers that bound a policy before it is parsed and while it decides, with units.

use std::time::Duration;

/// What the text of a bundle may be at most. Chosen so that nothing that passes can exhaust the loader's stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceLimits {
    /// Modules in a bundle.
    pub modules_max: usize,
    /// UTF-8 bytes of one module.
    pub module_bytes_max: usize,
    /// UTF-8 bytes of all modules.
    pub bytes_max: usize,
    /// Bytes of the data document in canonical JSON.
    pub data_bytes_max: usize,
    /// Depth of the data document.
    pub data_depth_max: usize,
    /// Brackets, braces and parentheses open at once, and minus signs in a row.
    pub nesting_max: usize,
    /// Depth of one expression after parsing, operators included.
    pub expression_depth_max: usize,
    /// Milliseconds that loading may take.
    pub load_ms_max: u64,
}

impl SourceLimits {
    /// The limits that ship.
    pub const SHIPPED: Self = Self {
        modules_max: 128,
        module_bytes_max: 128 * 1024,
        bytes_max: 1024 * 1024,
        data_bytes_max: 12 * 1024 * 1024,
        data_depth_max: 16,
        nesting_max: 24,
        expression_depth_max: 64,
        load_ms_max: 20_000,
    };
}

/// What a decision may cost at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgeLimits {
    /// Bytes of the canonical input.
    pub input_bytes_max: usize,
    /// Milliseconds after which the interpreter stops by itself.
    pub interpreter_ms_max: u64,
    /// Milliseconds after which nobody waits for the interpreter any longer.
    pub deadline_ms: u64,
    /// Judges that ran past their deadline and still run. Beyond it everything is denied.
    pub abandoned_max: usize,
    /// Values in one answer.
    pub answer_values_max: usize,
    /// Text bytes in one answer.
    pub answer_bytes_max: usize,
}

impl JudgeLimits {
    /// The limits that ship.
    pub const SHIPPED: Self = Self {
        input_bytes_max: 8 * 1024 * 1024,
        interpreter_ms_max: 500,
        deadline_ms: 1_000,
        abandoned_max: 4,
        answer_values_max: 50_000,
        answer_bytes_max: 1024 * 1024,
    };

    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    pub(crate) fn interpreter(&self) -> Duration {
        Duration::from_millis(self.interpreter_ms_max)
    }
}
