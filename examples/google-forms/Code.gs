// Tells of each answer to a Google Form, or each row that a form adds to a Google Sheet.
// In the form or the sheet: Extensions (or the three dots) > Apps Script, paste this, then Project Settings > Script
// properties: HOOK_URL (https://notify.example.com/hook/form) and HOOK_TOKEN. Last: Triggers > Add trigger >
// onFormSubmit, from the form (or from the spreadsheet), on form submit.

function onFormSubmit(event) {
  const properties = PropertiesService.getScriptProperties();
  const answers = event.response ? ofForm(event.response) : ofSheet(event.namedValues);
  const answer = UrlFetchApp.fetch(properties.getProperty("HOOK_URL"), {
    method: "post",
    contentType: "application/json",
    headers: { Authorization: "Bearer " + properties.getProperty("HOOK_TOKEN") },
    payload: JSON.stringify({ id: idOf(event), answers: answers }),
    muteHttpExceptions: true,
  });
  if (answer.getResponseCode() >= 300) {
    throw new Error("the daemon answered " + answer.getResponseCode());  // Google tells you by mail
  }
}

// What makes an answer the same when Google runs the trigger twice.
function idOf(event) {
  return event.response ? event.response.getId() : event.range.getSheet().getSheetId() + "-" + event.range.getRow();
}

function ofForm(response) {
  const answers = {};
  response.getItemResponses().forEach((item) => (answers[item.getItem().getTitle()] = item.getResponse()));
  return answers;
}

function ofSheet(values) {
  const answers = {};
  Object.keys(values).forEach((title) => (answers[title] = values[title].join(", ")));
  return answers;
}
