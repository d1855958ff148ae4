"""The Dagster job that publishes rankings when a period has ended."""

from dagster import (
    DefaultScheduleStatus,
    JobDefinition,
    OpExecutionContext,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    job,
    op,
    schedule,
)

from dagster_project.days.periods import label, parse, whole
from dagster_project.days.spans import DAY
from dagster_project.ranking.pdf import obstacle
from dagster_project.ranking.publish import current_release, folder_of, period_of, read, write
from dagster_project.warehouse import warehouse
from schemas.fields import SHANGHAI, TIME_ZONE
from schemas.regions import load_regions
from schemas.settings import Settings

JOB = "rankings"
TAG = "liaowang/period"
CRON = {"day": "0 6 * * *", "month": "0 6 1 * *", "quarter": "0 6 1 1,4,7,10 *", "year": "0 6 1 1 *"}
"""When the day or night of builds is over, on the first day after the period (Asia/Shanghai)."""


def make_rankings(settings: Settings) -> tuple[JobDefinition, ScheduleDefinition]:
    """The job and its schedule, which follows the setting `ranking_period`."""
    every = period_of(settings)

    def publish_period(context: OpExecutionContext) -> str:
        kind, day = parse(context.run.tags[TAG])
        regions = load_regions()
        with warehouse(settings) as open:
            found = read(open, regions, kind, day, current_release(open))
        problem = obstacle()
        page = write(folder_of(settings), found, regions, pdf=not problem)
        if problem:
            context.log.warning(f"not printed as PDF: {problem}")
        context.log.info(f"{len(found.sheets)} indicators of {found.label} in {page}")
        return str(page)

    publish = op(name="publish_rankings", description="Write page, table and PDF of a period.")(
        publish_period
    )

    def rankings() -> None:
        publish()

    made = job(name=JOB, description="Publish rankings (晾晒) of the period that has ended.")(rankings)

    def every_period(context: ScheduleEvaluationContext) -> RunRequest:
        today = context.scheduled_execution_time.astimezone(SHANGHAI).date()
        ended = whole(every, today).first - DAY
        return RunRequest(run_key=f"{every} {ended}", tags={TAG: label(every, ended)})

    scheduled = schedule(
        job=made,
        cron_schedule=CRON[every],
        execution_timezone=TIME_ZONE,
        default_status=DefaultScheduleStatus.RUNNING,
        name="rankings_of_a_period",
        description="On the day after a period of LIAOWANG_RANKING_PERIOD.",
    )(every_period)
    return made, scheduled
