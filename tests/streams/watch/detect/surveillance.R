# Makes surveillance.csv: results of R surveillance 1.20.3 on simulated series, for tests that have no R.
# Run: Rscript surveillance.R > surveillance.csv
suppressMessages(library(surveillance))
options(warn = -1)
set.seed(20261125)

simulated <- function(n, freq, base, trend, size) {
  t <- seq_len(n)
  mu <- base * exp(0.6 * cos(2 * pi * t / freq) + trend * t / n)
  x <- if (is.na(size)) rpois(n, mu) else rnbinom(n, mu = mu, size = size)
  for (begin in sample(n - 4, 3)) x[begin:(begin + 3)] <- x[begin:(begin + 3)] + rpois(4, 2 * base + 3)
  x
}
days <- function(n, freq) {
  if (freq == 12) seq(as.Date("2004-01-01"), by = "month", length.out = n)
  else as.Date("2003-12-29") + (if (freq == 52) 7 else 1) * (seq_len(n) - 1)
}
text <- function(v) ifelse(is.na(v), "NA", trimws(formatC(as.numeric(v), digits = 15, format = "g")))
named <- function(control) paste(names(control), sapply(control, paste, collapse = ","), sep = "=", collapse = ";")
print_case <- function(method, control, freq, dates, x, population, judged, bound, alarm, score) {
  cells <- c(method, named(c(control, if (startsWith(method, "farr")) list(freq = freq))),
             if (is.null(dates)) "" else paste(format(dates), collapse = " "),
             paste(text(x), collapse = " "), paste(population, collapse = " "),
             paste(judged, text(bound), text(alarm), text(score), sep = "/", collapse = " "))
  cat(paste0('"', cells, '"', collapse = ","), "\n", sep = "")
}

cat("# R surveillance 1.20.3 on simulated series; made by surveillance.R beside this file. judged: t/bound/alarm/statistic\n")
cat("method,parameters,dates,observed,population,judged\n")
noufaily <- list(noPeriods = 10, pastWeeksNotIncluded = 26, pThresholdTrend = 1, weightsThreshold = 2.58)
controls <- list(
  list(52, list(b = 3, w = 3, alpha = 0.01)),
  list(52, list(b = 3, w = 2, weightsThreshold = 1, powertrans = "1/2", trend = FALSE)),
  list(52, c(list(b = 3, w = 3, alpha = 0.01, thresholdMethod = "nbPlugin"), noufaily)),
  list(52, c(list(b = 4, w = 3, alpha = 0.005, thresholdMethod = "muan"), noufaily)),
  list(52, list(b = 3, w = 4, reweight = FALSE, powertrans = "none", limit54 = c(0, 4), populationOffset = TRUE)),
  list(12, list(b = 4, w = 1, alpha = 0.025, pThresholdTrend = 0.5)),
  list(12, list(b = 5, w = 1, noPeriods = 4, thresholdMethod = "nbPlugin", pastWeeksNotIncluded = 2)),
  list(365, list(b = 2, w = 3, alpha = 0.01, thresholdMethod = "muan"))
)
for (entry in controls) for (dated in c(FALSE, TRUE)) {
  freq <- entry[[1]]; control <- entry[[2]]
  n <- freq * control$b + control$w + 4 + if (freq == 365) 5 else 40
  x <- simulated(n, freq, sample(c(0.3, 3, 25), 1), sample(c(0, 0.8, -0.8), 1), sample(c(NA, 2), 1))
  if (dated) x[sample(n, 3)] <- NA
  population <- round(1e5 * exp(cumsum(rnorm(n, 0.0005, 0.002))))
  dates <- if (dated) days(n, freq)
  s <- if (dated) sts(x, epoch = dates, frequency = freq, population = matrix(population)) else
    sts(x, frequency = freq, population = matrix(population))
  ks <- max(n - 14, freq * control$b + control$w + (if (freq == 365) 4 else 1)):n
  result <- farringtonFlexible(s, c(control, list(range = ks)))
  print_case("farrington-flexible", control, freq, dates, x, if (!is.null(control$populationOffset)) population else "", ks,
             upperbound(result)[, 1], alarms(result)[, 1], result@control$score[, 1])
  if (!is.null(control$thresholdMethod) || anyNA(x)) next
  classic <- control[names(control) %in% c("b", "w", "alpha", "reweight", "trend", "powertrans", "limit54")]
  result <- farrington(s, c(classic, list(range = ks)))
  print_case("farrington", classic, freq, dates, x, "", ks, upperbound(result)[, 1], alarms(result)[, 1], NA)
}
for (trans in c("standard", "rossi", "anscombe", "anscombe2nd", "pearsonNegBin", "anscombeNegBin", "none"))
  for (base in c(0.4, 6)) {
    x <- simulated(70, 52, base, 0.5, 3)
    control <- list(k = sample(c(1.04, 0.5), 1), h = sample(c(2.26, 5), 1), trans = trans)
    s <- sts(x, frequency = 52)
    result <- algo.cusum(sts2disProg(s), c(control, list(range = 41:70)))
    print_case("cusum", c(control, list(start = 41)), 52, NULL, x, "", 41:70, result$upperbound, result$alarm, result$cusum)
  }
for (trans in c("rossi", "standard")) {
  x <- simulated(130, 52, 4, 0, NA)
  control <- list(k = 1.04, h = 2.26, trans = trans, m = "glm")
  result <- algo.cusum(sts2disProg(sts(x, frequency = 52)), c(control, list(range = 105:130)))
  print_case("cusum", c(control, list(start = 105, freq = 52)), 52, NULL, x, "", 105:130, result$upperbound, result$alarm, result$cusum)
}
for (method in c("C1", "C2", "C3")) for (base in c(0.3, 8)) {
  x <- simulated(60, 52, base, 0, NA); x[c(20, 41)] <- NA
  control <- list(baseline = sample(c(7, 14, 28), 1), minSigma = sample(c(0, 0.5, 1), 1), alpha = sample(c(0.001, 0.05), 1))
  result <- earsC(sts(x, frequency = 52), c(control, list(method = method)))
  ks <- (60 - nrow(result) + 1):60
  print_case(paste0("ears-", tolower(method), if (method == "C3") "-surveillance"), control, 52, NULL, x, "", ks,
             upperbound(result)[, 1], alarms(result)[, 1], NA)
}
for (count in c(0, 1, 7)) {
  x <- rep(count, 84)
  s <- sts(x, frequency = 12)
  control <- list(b = 3, w = 4, alpha = 0.1, limit54 = c(3, 6))
  result <- farrington(s, c(control, list(range = 81:84)))
  print_case("farrington", control, 12, NULL, x, "", 81:84, upperbound(result)[, 1], alarms(result)[, 1], NA)
  result <- farringtonFlexible(s, c(control, list(range = 81:84)))
  print_case("farrington-flexible", control, 12, NULL, x, "", 81:84,
             upperbound(result)[, 1], alarms(result)[, 1], result@control$score[, 1])
}
