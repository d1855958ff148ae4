"""The job `expire`: every night, releases past their age, and the events that only they show."""

from datetime import UTC, datetime, timedelta

from dagster import (
    DefaultScheduleStatus,
    JobDefinition,
    OpExecutionContext,
    RunRequest,
    ScheduleDefinition,
    in_process_executor,
    job,
    op,
    schedule,
)

from dagster_project.orchestrate.table_pipeline import TablePipeline
from dagster_project.release.expiry import expire
from dagster_project.warehouse import warehouse
from schemas.fields import TIME_ZONE

JOB = "expire"


def make_housekeeping(pipeline: TablePipeline) -> tuple[JobDefinition, ScheduleDefinition]:
    """The job and its schedule."""

    @op(name="expire_releases", description="Let old releases expire unless pinned or current.")
    def expire_releases(context: OpExecutionContext) -> None:
        settings = pipeline.settings
        with warehouse(settings) as open:
            gone = expire(
                open,
                [contract.table for contract in pipeline.contracts.values()],
                [indicator.table for indicator in pipeline.figured],
                timedelta(days=settings.release_days),
                settings.home / "release.lock",
                datetime.now(UTC),
            )
        context.log.info(f"expired: {gone.releases or 'no release'}; builds deleted: {len(gone.builds)}")

    @job(name=JOB, executor_def=in_process_executor)
    def expire_job() -> None:
        expire_releases()

    @schedule(
        job=expire_job,
        cron_schedule="15 4 * * *",
        execution_timezone=TIME_ZONE,
        default_status=DefaultScheduleStatus.RUNNING,
        description="Releases past their age, and the events that only they show.",
    )
    def every_night_expire() -> RunRequest:
        return RunRequest()

    return expire_job, every_night_expire
