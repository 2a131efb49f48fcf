"""The plugin host: a pytest session on the controller's machine that is to plugins what pytest-xdist's controller is.

It collects and runs nothing. It is configured without `workerinput`, is told everything that is decided about the run,
in order, and passes it to pytest's hooks, so that reports, totals and summaries are made by the plugins that make them.
The run does not wait for it. `needs` decides whether a run has one.

| module | its part |
|---|---|
| `needs` | which plugins and conftests ask for a host |
| `session` | the hooks and the loop of the host |
| `nodes` | what plugins are given for a worker |
| `scheduling` | what plugins ask of the way in which tests are dealt out |
| `closing` | what the terminal shows of a run that was stopped |
| `slow` | which hook of a plugin takes very long |
| `following` | tests that pass with nothing to say, many at once |
| `quick` | what is asked of such tests, answered at once |
| `spared` | hooks that could do nothing at the end of this run |
| `retold` | reports and warnings, made again from what workers sent |
"""
