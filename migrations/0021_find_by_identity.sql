-- Indexes of what grows begin with what tells its rows apart, not with the project. On a young farm, whose tables were all
-- but empty when they were last analysed, the planner takes any index whose first column is given to be as good as any
-- other, and a project's whole table is walked for each task.

drop index task_by_id;
alter table task drop constraint task_pkey cascade;
alter table task add primary key (task_id, project_id);

alter table job_task add foreign key (task_id, project_id) references task (task_id, project_id);
alter table task_dependency
    add foreign key (task_id, project_id) references task (task_id, project_id),
    add foreign key (on_task_id, project_id) references task (task_id, project_id);
alter table task_input add foreign key (task_id, project_id) references task (task_id, project_id);
alter table task_output add foreign key (task_id, project_id) references task (task_id, project_id);
alter table attempt add foreign key (task_id, project_id) references task (task_id, project_id);
alter table reservation add foreign key (task_id, project_id) references task (task_id, project_id) on delete cascade;

alter table attempt drop constraint attempt_pkey cascade;
alter table attempt add primary key (task_id, attempt, project_id);
alter table lease add foreign key (task_id, attempt, project_id) references attempt (task_id, attempt, project_id);

drop index task_of_job;
create index task_of_job on task (job_id);

-- The second also finds the jobs of a task.
drop index job_task_of_task;
alter table job_task
    drop constraint job_task_pkey,
    drop constraint job_task_project_id_job_id_task_id_key,
    add primary key (job_id, position, project_id),
    add unique (task_id, job_id, project_id);

drop index task_dependency_backwards;
alter table task_dependency
    drop constraint task_dependency_pkey,
    add primary key (task_id, on_task_id, project_id);
create index task_dependency_backwards on task_dependency (on_task_id);

drop index task_input_of_artifact;
alter table task_input
    drop constraint task_input_pkey,
    add primary key (task_id, artifact_key, project_id);
create index task_input_of_artifact on task_input (artifact_key);

drop index task_output_of_artifact;
alter table task_output
    drop constraint task_output_pkey,
    add primary key (task_id, artifact_key, project_id);
create index task_output_of_artifact on task_output (artifact_key);

drop index artifact_of_blob;
alter table artifact
    drop constraint artifact_pkey,
    add primary key (artifact_key, project_id);
create index artifact_of_blob on artifact (digest);

drop index deliverable_of_artifact;
alter table deliverable
    drop constraint deliverable_pkey,
    drop constraint deliverable_project_id_job_id_file_name_key,
    add primary key (job_id, position, project_id),
    add unique (job_id, file_name, project_id);
create index deliverable_of_artifact on deliverable (artifact_key);

alter table event
    drop constraint event_pkey,
    add primary key (job_id, sequence, project_id);

drop index request_of_job;
create index request_of_job on request (job_id);

-- What other constraints say already: a lease has an attempt, which has a worker, as has every task that was attempted; an
-- artifact has a blob, which has a project; an event is written with its job's row in hand.
alter table task drop constraint task_worker_id_fkey;
alter table lease drop constraint lease_worker_id_fkey;
alter table artifact drop constraint artifact_project_id_fkey;
alter table event drop constraint event_project_id_job_id_fkey;
