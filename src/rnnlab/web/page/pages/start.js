// Starting a run from the page, and stopping or going on with one.

/** The form that starts a run; open: whether it is shown at once. */
export function StartRun({ open = false }) {
  return null;
}

/** What can be done with one run; record: as the list of runs has it. */
export function RunControls({ record }) {
  return null;
}
