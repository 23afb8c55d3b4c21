//! Rocket Lawyer, statements RL-1 to RL-16.
