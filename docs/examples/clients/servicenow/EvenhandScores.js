// Script include "EvenhandScores": reads the scores of services from Evenhand. ES5, as the Rhino engine wants it.
//
//   var scores = new EvenhandScores().ofServices();   // [{service, cycle, value, status, dataAsOf}], or null
//
// It sends the id of a registered document (service_scores.graphql beside this file), never a text of its own, so it works
// where texts are closed. Two system properties, readable by administrators alone:
//
//   evenhand.api_url         https://evenhand.example.com/graphql
//   evenhand.oauth_profile   sys_id of the OAuth entity profile that gets the token; no token stands in a script
//
// Values are text with six decimals, and null where nothing was measured. Tested with stand-ins for the platform's
// classes, not yet on an instance.
var EvenhandScores = Class.create();
EvenhandScores.prototype = {
  DOCUMENT: 'sha256:7191d9e429249abc4638140f053147a6e76c1f96878f6dcf15e57e9d2eab8153',
  PAGE: 100,
  PAGES_MAX: 20,

  initialize: function () {
    this.url = gs.getProperty('evenhand.api_url', '');
    this.profile = gs.getProperty('evenhand.oauth_profile', '');
  },

  ofServices: function () {
    var found = [];
    var after = null;
    for (var turn = 0; turn < this.PAGES_MAX; turn++) {
      var page = this._page(after);
      if (!page) {
        return null; // half a list would look like a whole one
      }
      page.nodes.forEach(function (node) {
        found.push({
          service: node.subjectLabel,
          cycle: node.cycle ? node.cycle.label : null,
          value: node.value,
          status: node.status,
          dataAsOf: node.dataAsOf
        });
      });
      if (!page.pageInfo.hasNextPage) {
        return found;
      }
      after = page.pageInfo.endCursor;
    }
    gs.warn('evenhand: more than ' + (this.PAGE * this.PAGES_MAX) + ' scores; the rest was not read');
    return null;
  },

  _page: function (after) {
    var message = new sn_ws.RESTMessageV2();
    message.setEndpoint(this.url);
    message.setHttpMethod('post');
    message.setHttpTimeout(15000);
    message.setAuthenticationProfile('oauth2', this.profile);
    message.setRequestHeader('Content-Type', 'application/json');
    message.setRequestHeader('Accept', 'application/graphql-response+json');
    message.setRequestBody(JSON.stringify({
      documentId: this.DOCUMENT,
      variables: { first: this.PAGE, after: after }
    }));
    var response = message.execute();
    var status = response.getStatusCode();
    var answer = {};
    try {
      answer = JSON.parse(response.getBody());
    } catch (error) {
      answer = {}; // a proxy's page, or nothing
    }
    if (status == 200 && answer.data && answer.data.scores) {
      return answer.data.scores;
    }
    // Only code and requestId go to the log. 429: wait Retry-After seconds. DOCUMENT_NOT_FOUND: have it registered.
    var first = answer.errors && answer.errors[0] ? answer.errors[0].extensions : answer;
    gs.warn('evenhand: ' + status + ' ' + (first.code || '') + ' request ' + (first.requestId || ''));
    return null;
  },

  type: 'EvenhandScores'
};
