//! Facts grow with the change: adding a file, or lines that nothing else has, takes no fact away.

use proptest::prelude::*;

use super::*;
