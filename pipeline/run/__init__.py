"""Conduct the commands: each calls the stages of the way of the data, one after another.

A run, as `run.run` conducts it:

- `prepare`: schema, link and files, everything that needs no network; `target`: the account and the live database;
  `opening`: the ledger, the locks and the API, which together are the `context` of runs
- `stages`: the run itself. `intake` extracts, links and validates, in this process or by `engine/` in several; `changed`
  leaves out what was confirmed as it is; `loading` sends with the guards watching; `closing` ends the run
- `earlier`: the open runs of the job, which are finished or superseded before the new one sends
- what is left: `result` counts, `set_aside` writes the rows that are not confirmed, `zeros` notes what a spreadsheet would
  spoil in them, `summarise` puts all of it into the summary

The other commands are a module or a folder each: `validate`, `check` (with `first_records` and `observe`), `preview`, `setup`,
`init/`, `plan/` (with apply), `resume` (with close), `undo/`, `replay`, `explain`; their `screens` lay out what a person reads.
`request` has what each command asks for, `announce` notifies, `signals` takes Ctrl-C, and `api` is what Python programs call.
"""
