//! Cancel scopes. Scenarios cite the rules of `wakeful::cancel` by their letters.

pub(crate) mod ambient;
pub(crate) mod deadlines;
pub(crate) mod depth;
pub(crate) mod endings;
pub(crate) mod nesting;
