//! The API, the house rules' register and the assignment of solutions to nodes.
