//! Cancel scopes. Scenarios cite the rules of `wakeful::cancel` by their letters.

pub(crate) mod ambient;
pub(crate) mod cleanups;
pub(crate) mod deadlines;
pub(crate) mod depth;
pub(crate) mod endings;
pub(crate) mod graces;
pub(crate) mod nesting;
pub(crate) mod shields;
