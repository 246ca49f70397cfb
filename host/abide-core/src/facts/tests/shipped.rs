//! The shipped policy data, where it is there.

use super::*;
