-- What does wrk say at its end? One line of JSON, for wrk.py.
function done(summary, latency, requests)
  local errors = summary.errors
  local wrong = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format(
    '{"requests": %d, "seconds": %.6f, "bytes_read": %d, "errors": %d, '
      .. '"latency_mean": %.3f, "latency_p50": %.3f, "latency_p95": %.3f, "latency_p99": %.3f}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, wrong,
    latency.mean / 1e3,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3))
end
